"""Measure the Dice of lung masks per patient, with 95 % intervals over patients.

volumes: compare the masks of `prepare_data.py lungs` with those of another case table, and measure
how much of a second mask, such as lesions, they keep. slices: compare the threshold method with
the lung masks of display slices, brought back to HU.

  python tools/analysis_tools/lung_dice.py volumes data/phantom/cases.csv data/found/cases.csv \\
      --keeps 'volumes/{case}_cause.nii.gz'
  python tools/analysis_tools/lung_dice.py slices data/lungs/store --split lungs --role val \\
      --site kaggle_finding_lungs --window -1350 150 --mm 2.8
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.evaluation.bootstrap import bootstrap_intervals
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.terminal import Console


@dataclass(frozen=True, kw_only=True)
class MaskScore:
    """The scores of one lung mask.

    Attributes:
        group: Class or site, for the table.
        patient: Name of the patient.
        dice: In [0, 1].
        kept: Share of the second mask that lies in the lung mask, in [0, 1]; NaN without one.
    """

    group: str
    patient: str
    dice: float
    kept: float = np.nan


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        Console(width=110).print(_table(list(args.scores(args))))


def _volume_scores(args: argparse.Namespace) -> Iterator[MaskScore]:
    truth = {row['case']: row for row in _rows(args.truth)}
    for row in _rows(args.found):
        true_row, base = truth[row['case']], args.truth.parent
        predicted = read_volume(args.found.parent / row['lung']).data > 0
        true = read_volume(base / true_row['lung']).data > 0
        kept = np.nan
        if args.keeps:
            part = read_volume(base / args.keeps.format(case=row['case'])).data > 0
            kept = float(predicted[part].mean()) if part.any() else np.nan
        yield MaskScore(
            group=true_row['label'] or 'unknown',
            patient=row['patient'],
            dice=_dice(predicted, true),
            kept=kept,
        )


def _slice_scores(args: argparse.Namespace) -> Iterator[MaskScore]:
    store = SliceStore(args.store)
    for row in store.rows(args.split, args.role):
        case, true = store.case_of(row), store.lung(row)
        if case.site == args.site and true is not None:
            hu = store.display(row) * (args.window[1] - args.window[0]) + args.window[0]
            predicted = lung_mask(hu[None], (1.0, args.mm, args.mm))[0]
            yield MaskScore(group=case.site, patient=case.patient, dice=_dice(predicted, true))


def _dice(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (predicted & true).sum() / max(predicted.sum() + true.sum(), 1))


def _table(scores: list[MaskScore]) -> Table:
    table = Table('group', 'patients', 'Dice', '95 % interval', 'lowest', 'kept', 'least kept')
    for group in sorted({score.group for score in scores}):
        by_patient: dict[str, list[MaskScore]] = {}
        for score in scores:
            if score.group == group:
                by_patient.setdefault(score.patient, []).append(score)
        patients = [masks for _, masks in sorted(by_patient.items())]
        dice = np.array([np.mean([score.dice for score in masks]) for masks in patients])
        kept = np.array([np.mean([score.kept for score in masks]) for masks in patients])
        interval = _interval(dice)
        text = 'n/a' if interval is None else f'{interval[0]:.3f} to {interval[1]:.3f}'
        rest = ['-', '-'] if np.isnan(kept).all() else [f'{kept.mean():.3f}', f'{kept.min():.3f}']
        cells = [f'{dice.mean():.3f}', text, f'{dice.min():.3f}', *rest]
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
    parser = CommandParser(__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    volumes = commands.add_parser('volumes')
    volumes.add_argument('truth', type=Path, help='case table with true lung masks')
    volumes.add_argument('found', type=Path, help='case table with the masks to score')
    volumes.add_argument(
        '--keeps', metavar='PATTERN', help='second mask, a path beside the true table'
    )
    volumes.set_defaults(scores=_volume_scores)
    slices = commands.add_parser('slices')
    slices.add_argument('store', type=Path)
    slices.add_argument('--split', required=True)
    slices.add_argument('--role', required=True)
    slices.add_argument('--site', required=True)
    slices.add_argument('--window', type=float, nargs=2, required=True, metavar='HU')
    slices.add_argument('--mm', type=float, required=True, help='size of a stored pixel in mm')
    slices.set_defaults(scores=_slice_scores)
    return parser


if __name__ == '__main__':
    main()
