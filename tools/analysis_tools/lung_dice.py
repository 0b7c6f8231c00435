"""Dice of lung masks by patient, with 95 % intervals over patients.

Volumes: masks that `prepare_data.py lungs` wrote, against those of another table; and how much of a
second mask (lesions) they keep. Slices: the threshold on single display slices brought back to HU.

  python tools/analysis_tools/lung_dice.py volumes data/phantom/cases.csv data/found/cases.csv \\
      --keeps 'volumes/{case}_cause.nii.gz'
  python tools/analysis_tools/lung_dice.py slices data/lungs/store --split lungs --role val \\
      --site kaggle_finding_lungs --window -1350 150 --mm 2.8
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.evaluation.bootstrap import bootstrap_intervals
from xaicovid_mm.utils.errors import user_errors

Scored = tuple[str, str, float, float]
"""Group, patient, Dice, share of the second mask that is kept (NaN without one)."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        Console(width=110).print(_table(list(args.run(args))))


def _volumes(args: argparse.Namespace) -> Iterator[Scored]:
    truth = {row['case']: row for row in _rows(args.truth)}
    for row in _rows(args.found):
        true_row, base = truth[row['case']], args.truth.parent
        found = read_volume(args.found.parent / row['lung']).data > 0
        true = read_volume(base / true_row['lung']).data > 0
        kept = np.nan
        if args.keeps:
            part = read_volume(base / args.keeps.format(case=row['case'])).data > 0
            kept = float(found[part].mean()) if part.any() else np.nan
        yield true_row['label'] or 'unknown', row['patient'], _dice(found, true), kept


def _slices(args: argparse.Namespace) -> Iterator[Scored]:
    store = SliceStore(args.store)
    for row in store.rows(args.split, args.role):
        case, true = store.case_of(row), store.lung(row)
        if case.site == args.site and true is not None:
            hu = store.display(row) * (args.window[1] - args.window[0]) + args.window[0]
            found = lung_mask(hu[None], (1.0, args.mm, args.mm))[0]
            yield case.site, case.patient, _dice(found, true), np.nan


def _dice(found: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (found & true).sum() / max(found.sum() + true.sum(), 1))


def _table(scored: list[Scored]) -> Table:
    table = Table('group', 'patients', 'Dice', '95 % interval', 'lowest', 'kept', 'least kept')
    for group in sorted({row[0] for row in scored}):
        its = [row[1:] for row in scored if row[0] == group]
        patients = sorted({row[0] for row in its})
        dice, kept = (
            np.array([np.mean([row[column] for row in its if row[0] == p]) for p in patients])
            for column in (1, 2)
        )
        interval = _interval(dice)
        shown = 'n/a' if interval is None else f'{interval[0]:.3f} to {interval[1]:.3f}'
        rest = ['-', '-'] if np.isnan(kept).all() else [f'{kept.mean():.3f}', f'{kept.min():.3f}']
        cells = [f'{dice.mean():.3f}', shown, f'{dice.min():.3f}', *rest]
        table.add_row(group, str(len(dice)), *cells)
    return table


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    def mean(weights: np.ndarray) -> dict[str, float]:
        return {'mean': float(np.average(values, weights=weights))}

    return bootstrap_intervals(len(values), mean)['mean']


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    volumes = commands.add_parser('volumes')
    volumes.add_argument('truth', type=Path, help='case table with true lung masks')
    volumes.add_argument('found', type=Path, help='case table with the masks to judge')
    volumes.add_argument('--keeps', metavar='PATTERN', help='second mask, beside the true table')
    volumes.set_defaults(run=_volumes)
    slices = commands.add_parser('slices')
    slices.add_argument('store', type=Path)
    slices.add_argument('--split', required=True)
    slices.add_argument('--role', required=True)
    slices.add_argument('--site', required=True)
    slices.add_argument('--window', type=float, nargs=2, required=True, metavar='HU')
    slices.add_argument('--mm', type=float, required=True, help='of a stored pixel')
    slices.set_defaults(run=_slices)
    return parser


if __name__ == '__main__':
    main()
