"""Check every case of a table, and write the result as JSON and as a page."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils.files import write_text
from ...utils.html import page_templates
from ...utils.parallel import parallel_map
from ..case_table import Row, case_rows
from ..quality.issue import OK, REFUSED, WARNING
from .case import CaseChecker, CheckedCase

VERDICTS = (REFUSED, WARNING, OK)
FORMAT = 'xaicovid_mm check'
VERSION = 1


@dataclass(frozen=True)
class CheckSummary:
    """The result of a check in short.

    Attributes:
        counts: Number of cases by verdict.
        refused: A line for each reason to refuse a case, with paths; shown and not stored.
    """

    counts: dict[str, int]
    refused: list[str]


def check_cases(
    table: str | Path,
    out: str | Path,
    *,
    intensity: str = 'hu',
    mask_values: Mapping[str, Sequence[int]] | None = None,
    workers: int = 1,
    progress: Callable[[Sequence[Row]], Iterable[Row]] = iter,
) -> CheckSummary:
    """Check every case and write ``check.json`` and ``check.html``, each whole or not at all.

    A case that is refused does not stop the check. No file is changed. The outputs hold the names
    of the cases and nothing else of the table: no paths, patients or sites, and in messages no
    file names and no UIDs.

    Args:
        table: CSV with ``COLUMNS``, paths relative to the table; or a folder of scans, see
            ``case_rows``.
        out: Folder to fill.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already. Then values,
            slices and masks are checked, and not whether the scan shows a chest.
        mask_values: Values that count in a mask that is a label map, by column.
        workers: Number of processes; the outputs are the same for any number.
        progress: Wraps the rows of the table, for instance to show a progress bar.

    Raises:
        TableError: If the table is wrong, see ``case_rows``.
    """
    rows, base = case_rows(table, check_files=False)
    with parallel_map(CaseChecker(base, intensity, mask_values or {}), rows, workers) as results:
        cases = [case for _, case in zip(progress(rows), results, strict=True)]
    verdicts = Counter(case.record['verdict'] for case in cases)
    counts = {verdict: verdicts[verdict] for verdict in VERDICTS}
    records = [case.record for case in cases]
    content = dict(format=FORMAT, version=VERSION, counts=counts, cases=records)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'check.json', json.dumps(content, indent=1, allow_nan=False))
    write_text(out / 'check.html', _page(cases, counts))
    return CheckSummary(counts, [line for case in cases for line in _refusals(case)])


def _page(cases: list[CheckedCase], counts: dict[str, int]) -> str:
    """The page: the worst cases first, else in the order of the table."""
    worst_first = sorted(cases, key=lambda case: VERDICTS.index(case.record['verdict']))
    codes = Counter(code for case in cases for code in _codes(case.record))
    page = page_templates(__package__).get_template('check.html.j2')
    return page.render(cases=worst_first, counts=counts, codes=codes.most_common())


def _codes(record: dict[str, Any]) -> Iterable[str]:
    """The codes of a case's issues, each once, in a fixed order."""
    return dict.fromkeys(issue['code'] for issue in record['issues'])


def _refusals(case: CheckedCase) -> list[str]:
    issues = [issue for issue in case.record['issues'] if issue['severity'] == REFUSED]
    reasons = case.errors or [f'{issue["text"]}: {issue["remedy"]}' for issue in issues]
    return [f'{case.record["case"]}: {reason}' for reason in reasons]
