"""What the converters of layouts share that several programs write: nnU-Net, MONAI, BIDS."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import write_table

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.identifiers import near_equal
from xaicovid_mm.utils.errors import TableError
from xaicovid_mm.utils.names import folder_fault

Row = dict[str, Any]
"""A row of a case table; files are paths."""
MASKS = ('infection', 'lung')


@dataclass(frozen=True)
class Facts:
    """What no file of such a data set says.

    Attributes:
        label: Class of all its cases; empty if it is unknown.
        site: Where all scans were made; empty if it is unknown.
        patient: Finds the patient in the name of a case, as its first group; None: each case is a
            patient of its own.
    """

    label: str = ''
    site: str = ''
    patient: re.Pattern[str] | None = None

    def row(self, case: str, image: Path) -> Row:
        """A row without masks.

        Raises:
            TableError: If the name does not match ``patient``.
        """
        patient = case
        if self.patient:
            found = self.patient.search(case)
            if found is None:
                raise TableError(
                    f'case {case!r} does not match --patient {self.patient.pattern!r}',
                    'correct the expression: its first group is the patient',
                )
            patient = found[1]
        files = dict(image=image, infection='', lung='')
        return dict(case=case, patient=patient, **files, label=self.label, site=self.site)


NOTHING_MORE = Facts()


def layout_parser(description: str | None, source: str, what: str) -> CommandParser:
    """A parser with the arguments that all converters of layouts have."""
    parser = CommandParser(description)
    parser.add_argument(source, type=Path, help=what)
    parser.add_argument('out', type=Path, help='gets cases.csv')
    parser.add_argument('--class', dest='label', choices=CLASSES, default='', help='of all cases')
    parser.add_argument('--site', default='', help='of all cases')
    return parser


def file_inside(root: Path, text: Any, where: str) -> Path:
    """Return a file that a data set names, if it lies in the folder of the data set.

    Raises:
        TableError: If it is no path, leads out of the folder, or is not there.
    """
    if not isinstance(text, str):
        raise TableError(f'{where}: {text!r} is no path', 'give the path of one file')
    path = Path(os.path.normpath(root / text))
    if not path.is_relative_to(os.path.normpath(root)):
        raise TableError(
            f'{where}: {text} lies outside of {root}', 'give the folder that holds all files'
        )
    if not path.is_file():
        raise TableError(f'{where}: {path} is not there', 'correct the path, or unpack it again')
    return path


def finish(rows: Sequence[Row], out: Path, values: Mapping[str, Sequence[int]]) -> list[str]:
    """Check the rows and write ``cases.csv``.

    Args:
        rows: At least one.
        out: Folder of the table.
        values: Values that count in masks that are label maps, by column.

    Returns:
        The lines of a summary, the command that follows, and what to beware of.

    Raises:
        TableError: If two cases have one name, or a name is unfit for a folder.
    """
    first: dict[str, Path] = {}
    for row in rows:
        if fault := folder_fault(row['case']):
            raise TableError(f'{row["image"]}: case name {row["case"]!r} {fault}', 'rename it')
        if row['case'] in first:
            raise TableError(
                f'{first[row["case"]]} and {row["image"]} would both be case {row["case"]!r}',
                'rename one',
            )
        first[row['case']] = row['image']
    write_table(out / 'cases.csv', rows)
    options = [f' --{k}-values {" ".join(map(str, values[k]))}' for k in MASKS if values.get(k)]
    patients = {row['patient'] for row in rows}
    masks = ', '.join(f'{sum(bool(row[k]) for row in rows)} with {k}' for k in MASKS)
    lines = [
        f'{out / "cases.csv"}: {len(rows)} scans of {len(patients)} patients, {masks}',
        f'next: xaicovid prepare volumes {out / "cases.csv"} STORE{"".join(options)}',
    ]
    if alike := near_equal(patients):
        named = '; '.join(' and '.join(group) for group in alike)
        lines.append(f'beware: patients with almost the same name, are they one? {named}')
    if len(patients) == len(rows) > 1:
        lines.append('beware: every scan counts as a patient of its own, is that so?')
    if unknown := sum(not row['label'] for row in rows):
        lines.append(f'beware: {unknown} cases have no class, so they can only be unlabelled')
    return lines
