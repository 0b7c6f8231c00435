"""``QualityIssue``: something wrong or odd about a scan or a mask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REFUSED, WARNING, OK = 'refused', 'warning', 'ok'


@dataclass(frozen=True)
class QualityIssue:
    """Something that is wrong with a scan or a mask, or that its user should know.

    Attributes:
        code: A few words that never change, to count and to filter by.
        text: What is wrong: the values found and the values expected.
        remedy: What to do about it.
        severity: ``REFUSED`` or ``WARNING``.
        values: The numbers of ``text`` by name.
        column: Column of the file that is wrong.
    """

    code: str
    text: str
    remedy: str
    severity: str = REFUSED
    values: Mapping[str, float] = field(default_factory=dict)
    column: str = 'image'


def refusals(issues: Iterable[QualityIssue]) -> list[QualityIssue]:
    """The issues because of which a scan is refused."""
    return [issue for issue in issues if issue.severity == REFUSED]


def verdict(issues: Iterable[QualityIssue]) -> str:
    """The worst severity among the issues: ``REFUSED``, ``WARNING``, or ``OK`` without any."""
    severities = {issue.severity for issue in issues}
    return next((worst for worst in (REFUSED, WARNING) if worst in severities), OK)
