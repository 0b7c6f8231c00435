"""Scans in; per scan a diagnosis, an infection mask on its own grid, maps and a page out.

python tools/infer.py scan.nii.gz --model models/quick --out results
python tools/infer.py folder/ --model models/quick --out results --explain all
python tools/infer.py pictures/ --window -1350 150 --spacing 5 0.7 0.7 --model models/quick --out o
python tools/infer.py scan.nii.gz --config CONFIG --checkpoint epoch_20.pth --out results
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from ..apis import CTInferencer
from ..apis.batch_inference import infer_all
from ..apis.ct_inferencer import EXPLAINED
from ..apis.lungs.methods import METHODS, lung_method
from ..apis.model_folder.deployed_model import DeployedModel
from ..apis.outputs.cohort import CaseOutcome
from ..apis.outputs.dicom_seg import need_dicom
from ..data_prep.case_table import find_cases
from ..data_prep.io.image_folder import ImageFolderSpec
from ..data_prep.lungs.mask_file import LungMethod
from ..engine.config import load_config
from ..utils.errors import user_errors
from ..utils.names import COHORT_PAGE
from ..utils.printable import printable
from ..utils.terminal import Console
from .parser import CommandParser

TOOL = 'tools/infer.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors():
        cases = find_cases(args.inputs)
        if args.dicom_seg:
            for scan in cases.values():
                need_dicom(scan)
        pictured = _pictured(args)
        inferencer = CTInferencer(
            _model(args),
            batch_size=args.batch_size,
            explain=args.explain,
            dicom_seg=args.dicom_seg,
            images=pictured,
            series=args.series,
            lungs=_lungs(args, len(cases)),
            uncertainty=args.uncertainty,
        )
        console = Console()
        outcomes = infer_all(
            inferencer,
            cases,
            args.out,
            lung=args.lung,
            progress=lambda names: track(names, 'reading scans', len(names), console=console),
            done=lambda outcome: _say(outcome, args.out, console),
        )
    console.print(_summary(outcomes, args.out), soft_wrap=True)
    if any(outcome.prediction is None for outcome in outcomes):
        raise SystemExit(1)


def _pictured(args: argparse.Namespace) -> ImageFolderSpec | None:
    if not args.window and not args.spacing:
        return None
    if not (args.window and args.spacing):
        raise ValueError('pictures need both --window LOW HIGH and --spacing Z Y X')
    return ImageFolderSpec(tuple(args.window), tuple(args.spacing))


def _lungs(args: argparse.Namespace, count: int) -> LungMethod:
    if args.lung and count > 1:
        raise ValueError(f'--lung {args.lung} is the mask of one scan, {count} were given')
    if args.lung and (args.lungs or args.lung_config or args.lung_checkpoint):
        raise ValueError('give either --lung MASK, or a method that finds the lungs')
    if args.lung_checkpoint and not (args.lung_config or args.lungs == 'lungmask'):
        raise ValueError('--lung-checkpoint needs --lung-config, or --lungs lungmask')
    if args.lungs in ('model', 'hybrid') and not (args.lung_config and args.lung_checkpoint):
        raise ValueError(f'--lungs {args.lungs} needs --lung-config and --lung-checkpoint')
    return lung_method(args.lungs, config=args.lung_config, checkpoint=args.lung_checkpoint)


def _model(args: argparse.Namespace) -> DeployedModel:
    if args.model and not (args.config or args.checkpoint):
        return DeployedModel.from_folder(args.model)
    if args.config and args.checkpoint and not args.model:
        return DeployedModel.from_checkpoint(load_config(args.config), args.checkpoint)
    raise ValueError('give either --model FOLDER, or --config and --checkpoint')


def _say(outcome: CaseOutcome, out: Path, console: Console) -> None:
    """One line for a case."""
    if outcome.prediction is None:
        sys.stderr.write(printable(f'error: {outcome.case}: {outcome.error}\n'))
        return
    patient, total = outcome.prediction['patient'], outcome.prediction['burden']['total']
    codes = ', '.join(flag['code'] for flag in outcome.prediction['flags'])
    console.print(
        f'{outcome.case}: {patient["label"]} ({patient["confidence"]:.0%}), '
        f'{total["infection_ml"]:.0f} ml infected; {out / outcome.case / "report.html"}'
        + (f' (read with care: {codes})' if codes else ''),
        soft_wrap=True,
    )


def _summary(outcomes: Sequence[CaseOutcome], out: Path) -> str:
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
    labels = Counter(prediction['patient']['label'] for prediction in predictions)
    parts = [f'{count} {label}' for label, count in labels.most_common()]
    flagged = sum(bool(prediction['flags']) for prediction in predictions)
    failed = len(outcomes) - len(predictions)
    return (
        f'{len(outcomes)} {"scan" if len(outcomes) == 1 else "scans"}: '
        f'{", ".join([*parts, f"{failed} not predicted"])}; {flagged} to read with care; '
        f'{out / COHORT_PAGE}'
    )


def _steps(text: str) -> int | None:
    return None if text == 'all' else int(text)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('inputs', nargs='+', help='scans, or folders of scans, any depth')
    parser.add_argument('--out', type=Path, required=True, help='gets a folder per scan')
    parser.add_argument('--model', type=Path, help='folder of tools/publish_model.py')
    parser.add_argument('--config', help='of a training run, with --checkpoint')
    parser.add_argument('--checkpoint', help='of a training run, with --config')
    parser.add_argument(
        '--window', type=float, nargs=2, metavar='HU', help='of pictures: HU of black and of white'
    )
    parser.add_argument(
        '--spacing',
        type=float,
        nargs=3,
        metavar='MM',
        help='of pictures, z y x; z negative if their names go from head to foot',
    )
    parser.add_argument(
        '--series',
        default='',
        metavar='UID',
        help='SeriesInstanceUID of the scan, where a folder or zip holds several CT series',
    )
    parser.add_argument('--lung', type=Path, metavar='MASK', help='lung mask of the only scan')
    parser.add_argument(
        '--lungs',
        choices=METHODS,
        help='how lungs are found; default: with --lung-config hybrid, else threshold',
    )
    parser.add_argument('--lung-config', type=Path, help='of a lung model')
    parser.add_argument(
        '--lung-checkpoint', type=Path, help='weights of a lung model, or of lungmask'
    )
    parser.add_argument('--batch-size', type=int, default=16, help='slices at a time')
    parser.add_argument(
        '--explain', type=_steps, default=EXPLAINED, help='slices that get a saliency, or all'
    )
    parser.add_argument(
        '--uncertainty', action='store_true', help='write where the mask is unsure too'
    )
    parser.add_argument(
        '--dicom-seg',
        action='store_true',
        help='masks as DICOM-SEG too, for DICOM scans only; it holds the UIDs of study, series and '
        'images',
    )
    return parser
