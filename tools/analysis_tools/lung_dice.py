"""Measure the Dice of lung masks per patient, with 95 % intervals over patients.

volumes: compare the masks of `prepare_data.py lungs` with those of another case table, and measure
how much of a second mask, such as lesions, they keep. methods: find the lungs of the scans of case
tables by threshold, model and hybrid, and do the same; of a scan without lung mask the volumes are
given, and the Dice of each method with the threshold. slices: compare the threshold method with the
lung masks of display slices, brought back to HU.

  python tools/analysis_tools/lung_dice.py volumes data/phantom/cases.csv data/found/cases.csv \\
      --keeps cause
  python tools/analysis_tools/lung_dice.py methods data/phantom/cases.csv \\
      --config configs/lung/phantom.py --checkpoint work_dirs/phantom/epoch_10.pth \\
      --keeps cause
  python tools/analysis_tools/lung_dice.py slices data/lungs/store --split lungs --role val \\
      --site kaggle_finding_lungs --window -1350 150 --mm 2.8
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track
from rich.table import Table

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import TableError, user_errors
from xaicovid_mm.utils.overlap import mask_dice
from xaicovid_mm.utils.terminal import Console


@dataclass(frozen=True, kw_only=True)
class MaskScore:
    """The scores of one lung mask.

    Attributes:
        group: Class or site, and the method if there are several, for the table.
        patient: Name of the patient.
        dice: In [0, 1].
        kept: Share of the second mask that lies in the lung mask, in [0, 1]; NaN without one.
    """

    group: str
    patient: str
    dice: float
    kept: float = np.nan


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """The lungs of a scan without a true mask.

    Attributes:
        case: Name of the scan.
        method: How they were found.
        ml: On the patient's right and left side of the middle of the found lungs.
        agreement: Dice with the lungs by threshold, in [0, 1].
    """

    case: str
    method: str
    ml: tuple[float, float]
    agreement: float


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        found = list(args.scores(args))
        console = Console(width=110)
        if scores := [one for one in found if isinstance(one, MaskScore)]:
            console.print(_table(scores))
        if volumes := [one for one in found if isinstance(one, Volumes)]:
            console.print(_volume_table(volumes))


def _volume_scores(args: argparse.Namespace) -> Iterator[MaskScore]:
    from xaicovid_mm.data_prep.io.scan import read_volume

    truth = {row['case']: row for row in _rows(args.truth)}
    for row in _rows(args.found):
        true_row, base = truth[row['case']], args.truth.parent
        predicted = read_volume(args.found.parent / row['lung']).data > 0
        true = read_volume(base / true_row['lung']).data > 0
        part = _second_mask(args, base, true_row)
        yield MaskScore(
            group=true_row['label'] or 'unknown',
            patient=row['patient'],
            dice=mask_dice(predicted, true),
            kept=_kept(predicted, part),
        )


def _method_scores(args: argparse.Namespace) -> Iterator[MaskScore | Volumes]:
    from xaicovid_mm.apis.lungs.extractor import joined
    from xaicovid_mm.apis.lungs.methods import lung_method
    from xaicovid_mm.data_prep.case_table import case_rows
    from xaicovid_mm.data_prep.io.scan import read_scan, read_volume
    from xaicovid_mm.data_prep.lungs.threshold import lung_mask

    network = lung_method('model', config=args.config, checkpoint=args.checkpoint).find
    for table in args.tables:
        rows, base = case_rows(table)
        for row in track(rows, f'{table}', transient=True):
            scan = read_scan(base / row['image'])
            fine = lung_mask(scan.data, scan.spacing_mm)
            coarse = network(scan.data, scan.spacing_mm)
            hybrid = joined(fine, coarse, scan.spacing_mm)
            true = read_volume(base / row['lung']).data > 0 if row['lung'] else None
            part = _second_mask(args, base, row)
            for method, lungs in dict(threshold=fine, model=coarse, hybrid=hybrid).items():
                if true is None:
                    ml = _sides_ml(lungs, scan.spacing_mm)
                    agreement = mask_dice(lungs, fine)
                    yield Volumes(case=row['case'], method=method, ml=ml, agreement=agreement)
                    continue
                yield MaskScore(
                    group=f'{row["label"] or "unknown"}, {method}',
                    patient=f'{table} {row["patient"]}',
                    dice=mask_dice(lungs, true),
                    kept=_kept(lungs, part),
                )


def _second_mask(args: argparse.Namespace, base: Path, row: dict[str, str]) -> np.ndarray | None:
    from xaicovid_mm.data_prep.io.scan import read_volume

    if args.keeps is None:
        return None
    if args.keeps not in row:
        raise TableError(f'no column {args.keeps!r}, but {[*row]}', 'name one by --keeps')
    return read_volume(base / row[args.keeps]).data > 0 if row[args.keeps] else None


def _kept(lungs: np.ndarray, part: np.ndarray | None) -> float:
    return float(lungs[part].mean()) if part is not None and part.any() else np.nan


def _sides_ml(lungs: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Volumes (right, left) of lungs (Z, Y, X) beside the middle of their extent."""
    columns = np.flatnonzero(lungs.any((0, 1)))
    middle = (columns[0] + columns[-1] + 1) // 2 if len(columns) else 0
    ml = np.prod(spacing_mm) / 1000
    return float(lungs[..., :middle].sum() * ml), float(lungs[..., middle:].sum() * ml)


def _slice_scores(args: argparse.Namespace) -> Iterator[MaskScore]:
    from xaicovid_mm.data_prep.lungs.threshold import lung_mask

    store = SliceStore(args.store)
    for row in store.rows(args.split, args.role):
        case, true = store.case_of(row), store.lung(row)
        if case.site == args.site and true is not None:
            hu = store.display(row) * (args.window[1] - args.window[0]) + args.window[0]
            predicted = lung_mask(hu[None], (1.0, args.mm, args.mm))[0]
            yield MaskScore(group=case.site, patient=case.patient, dice=mask_dice(predicted, true))


def _table(scores: list[MaskScore]) -> Table:
    from xaicovid_mm.evaluation.intervals import mean_interval

    table = Table('group', 'patients', 'Dice', '95 % interval', 'lowest', 'kept', 'least kept')
    for group in sorted({score.group for score in scores}):
        by_patient: dict[str, list[MaskScore]] = {}
        for score in scores:
            if score.group == group:
                by_patient.setdefault(score.patient, []).append(score)
        patients = [masks for _, masks in sorted(by_patient.items())]
        dice = np.array([np.mean([score.dice for score in masks]) for masks in patients])
        kept = np.array([np.mean([score.kept for score in masks]) for masks in patients])
        low, high, _ = mean_interval(dice)
        text = 'n/a' if low is None or high is None else f'{low:.3f} to {high:.3f}'
        rest = ['-', '-'] if np.isnan(kept).all() else [f'{kept.mean():.3f}', f'{kept.min():.3f}']
        cells = [f'{dice.mean():.3f}', text, f'{dice.min():.3f}', *rest]
        table.add_row(group, str(len(dice)), *cells)
    return table


def _volume_table(volumes: list[Volumes]) -> Table:
    table = Table('case', 'method', 'ml', 'right', 'left', 'Dice with threshold')
    for one in volumes:
        ml = [f'{value:.0f}' for value in (sum(one.ml), *one.ml)]
        table.add_row(one.case, one.method, *ml, f'{one.agreement:.3f}')
    return table


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
        '--keeps', metavar='COLUMN', help='second mask: a column of the true table, such as cause'
    )
    volumes.set_defaults(scores=_volume_scores)
    methods = commands.add_parser('methods')
    methods.add_argument('tables', type=Path, nargs='+', help='case tables, or folders of scans')
    methods.add_argument('--config', type=Path, required=True, help='of the lung model')
    methods.add_argument('--checkpoint', type=Path, required=True)
    methods.add_argument('--keeps', metavar='COLUMN', help='second mask, as above')
    methods.set_defaults(scores=_method_scores)
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
