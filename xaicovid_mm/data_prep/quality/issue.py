"""What a check has to say about a scan or a mask."""

from collections.abc import Iterable
from dataclasses import dataclass, field

REFUSED, WARNING, OK = 'refused', 'warning', 'ok'


@dataclass(frozen=True)
class QualityIssue:
    """Something that is wrong, or that one should know.

    Attributes:
        code: A few words that stay the same, to count and to filter by.
        text: What was found and what was expected, with the numbers.
        remedy: What to do.
        severity: 'refused' or 'warning'.
        values: The numbers by name.
    """

    code: str
    text: str
    remedy: str
    severity: str = REFUSED
    values: dict[str, float] = field(default_factory=dict)


def refusals(findings: Iterable[QualityIssue]) -> list[QualityIssue]:
    """Those that no scan gets past the door with."""
    return [finding for finding in findings if finding.severity == REFUSED]


def verdict(findings: Iterable[QualityIssue]) -> str:
    """'refused', 'warning' or 'ok': the worst of them."""
    severities = {finding.severity for finding in findings}
    return next((worst for worst in (REFUSED, WARNING) if worst in severities), OK)
