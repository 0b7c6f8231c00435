"""Helpers of the converters of layouts that several programs share: nnU-Net, MONAI, BIDS."""

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import write_table
from rich.progress import track

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.identifiers import near_equal
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.utils.errors import ScanError, TableError
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


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add options for masks that are label maps, and for the patient in the name of a case."""
    for column in MASKS:
        parser.add_argument(
            f'--{column}', nargs='+', default=[], metavar='LABEL', help=f'labels that are {column}'
        )
    parser.add_argument(
        '--patient',
        type=_expression,
        metavar='REGEX',
        help='its first group is the patient in the name of a case; default: the whole name',
    )


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        TableError: If it does not.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise TableError(f'{path} cannot be read as JSON ({error})', remedy) from error
    if not isinstance(content, dict):
        raise TableError(f'{path} holds a {type(content).__name__}, not an object', remedy)
    return content


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


def label_values(
    labels: Mapping[str, Sequence[int]] | None, wanted: Iterable[str], where: Path
) -> tuple[int, ...]:
    """Return the values of label maps that are meant by names or numbers.

    Args:
        labels: Values by name; None if the data set does not say them.
        wanted: Names or numbers.
        where: The file that says the names, for the message.

    Raises:
        TableError: If there is no such label, or background is meant.
    """
    values = set[int]()
    for name in wanted:
        found = labels.get(name) if labels else None
        if found is None and name.isdecimal():
            known = sum(map(list, labels.values()), []) if labels else [int(name)]
            found = [int(name)] if int(name) in known else None
        if not found or 0 in found:
            raise TableError(
                f'{where} has no label {name!r} that can be a mask, but {labels or "numbers"}',
                'give names or numbers of labels other than background',
            )
        values.update(found)
    return tuple(sorted(values))


def check_values(paths: Iterable[Path], known: Iterable[int], where: Path) -> None:
    """Refuse a label map with a value that the data set does not explain.

    Raises:
        ScanError: Naming the file and the values.
    """
    allowed = sorted(set(known))
    for path in track(sorted(paths), 'reading label maps', transient=True):
        values = np.unique(read_volume(path).data)
        if unknown := [f'{value:g}' for value in values if value not in allowed]:
            raise ScanError(
                f'{path} has the values {", ".join(unknown[:8])}, {where} knows {allowed}',
                f'correct the file, or name the values in {where.name}',
            )


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


def _expression(text: str) -> re.Pattern[str]:
    try:
        expression = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text!r} is no regular expression ({error})') from error
    if expression.groups < 1:
        raise argparse.ArgumentTypeError(f'{text!r} has no group: put the patient in ( )')
    return expression
