"""Every case of a table at the door, and a page that lists them all."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils.files import write_text
from ...utils.html import page_templates
from ...utils.parallel import parallel_map
from ..case_table import COLUMNS, case_rows, check_unique
from ..quality.issue import OK, REFUSED, WARNING
from .case import CaseChecker, CheckedCase

Row = dict[str, str]
VERDICTS = (REFUSED, WARNING, OK)
FORMAT = 'xaicovid_mm check'
VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """How the cases of a table fared.

    Attributes:
        counts: Cases by verdict.
        refused: A line for each case that was refused, with paths, to be shown and not stored.
    """

    counts: dict[str, int]
    refused: list[str]


def check_cases(
    table: str | Path,
    out: str | Path,
    progress: Callable[[list[Row]], Iterable[Row]] = iter,
    workers: int = 1,
    intensity: str = 'hu',
) -> Outcome:
    """Read every case and write ``check.json`` and ``check.html``, each whole or not at all.

    A bad case is listed with the reason, and the next one follows. Nothing is repaired. Of the
    table only the names of cases go into the outputs; paths, patients and sites do not, nor do
    names of files or UIDs in what the readers say.

    Args:
        table: CSV with the columns of ``prepare_volumes``.
        out: Folder to fill.
        progress: Wraps the rows of the table, to show a bar.
        workers: Processes; the outputs are the same for any number.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already: then values, slices
            and masks are looked at, and that it is a chest is believed.

    Raises:
        StoreError: For a table with a wrong line.
    """
    rows, base = case_rows(table, COLUMNS, files=False)
    check_unique(table, rows)
    with parallel_map(CaseChecker(base, intensity), rows, workers) as checked:
        cases = [case for _, case in zip(progress(rows), checked, strict=True)]
    verdicts = Counter(case.record['verdict'] for case in cases)
    counts = {verdict: verdicts[verdict] for verdict in VERDICTS}
    said = dict(format=FORMAT, version=VERSION, counts=counts, cases=[c.record for c in cases])
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'check.json', json.dumps(said, indent=1, allow_nan=False))
    write_text(out / 'check.html', _page(cases, counts))
    return Outcome(counts, [line for case in cases for line in _refusals(case)])


def _page(cases: list[CheckedCase], counts: dict[str, int]) -> str:
    """The worst first, else in the order of the table."""
    worst = sorted(cases, key=lambda case: VERDICTS.index(case.record['verdict']))
    codes = Counter(code for case in cases for code in _codes(case.record))
    page = page_templates(__package__).get_template('check.html.j2')
    return page.render(cases=worst, counts=counts, codes=codes.most_common())


def _codes(record: dict[str, Any]) -> set[str]:
    return {finding['code'] for finding in record['findings']}


def _refusals(case: CheckedCase) -> list[str]:
    name, findings = case.record['case'], case.record['findings']
    said = [f'{f["text"]}: {f["remedy"]}' for f in findings if f['severity'] == REFUSED]
    return [f'{name}: {text}' for text in (case.errors or said)]
