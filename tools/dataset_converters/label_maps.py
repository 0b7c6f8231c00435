"""Masks of data sets that have label maps: which of their values are infection, and which lung."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from layouts import MASKS, Facts, layout_parser
from rich.progress import track

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import ScanError, TableError

Labels = Mapping[str, Sequence[int]]
"""Values of a label map by their names; a region has several."""


def label_map_parser(description: str | None, source: str, what: str) -> CommandParser:
    """A parser that also takes the labels of each mask, and the patient in the name of a case."""
    parser = layout_parser(description, source, what)
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
    return parser


def wanted_labels(args: argparse.Namespace) -> dict[str, list[str]]:
    """Labels by 'infection' and 'lung', as the command line names them."""
    return {column: getattr(args, column) for column in MASKS}


def facts_of(args: argparse.Namespace) -> Facts:
    """What the command line says of all cases."""
    return Facts(args.label, args.site, args.patient)


def mask_values(
    labels: Labels | None, wanted: Mapping[str, Iterable[str]], where: Path
) -> dict[str, tuple[int, ...]]:
    """Return the values of label maps that are meant by names or numbers, by kind of mask.

    Args:
        labels: Values by name; None if the data set does not say them.
        wanted: Names or numbers, by 'infection' and 'lung'; without any there is no such mask.
        where: The file that says the names, for the message.

    Raises:
        TableError: If there is no such label, or background is meant.
    """
    return {column: _values(labels, names, where) for column, names in wanted.items() if names}


def check_values(paths: Iterable[Path], labels: Labels, where: Path) -> None:
    """Refuse a label map with a value that the data set does not explain.

    Raises:
        ScanError: Naming the file and the values.
    """
    from xaicovid_mm.data_prep.io.scan import read_volume  # slow to import

    allowed = sorted({value for values in labels.values() for value in values})
    for path in track(sorted(paths), 'reading label maps', transient=True):
        values = np.unique(read_volume(path).data)
        if unknown := [f'{value:g}' for value in values if value not in allowed]:
            raise ScanError(
                f'{path} has the values {", ".join(unknown[:8])}, {where} knows {allowed}',
                f'correct the file, or name the values in {where.name}',
            )


def no_masks(labels: Labels | None) -> str:
    """Line of a summary where no label is named."""
    return f'beware: no masks; name them by --infection and --lung, of {labels}'


def _values(labels: Labels | None, wanted: Iterable[str], where: Path) -> tuple[int, ...]:
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


def _expression(text: str) -> re.Pattern[str]:
    try:
        expression = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text!r} is no regular expression ({error})') from error
    if expression.groups < 1:
        raise argparse.ArgumentTypeError(f'{text!r} has no group: put the patient in ( )')
    return expression
