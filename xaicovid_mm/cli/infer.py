"""Scans in; per scan a diagnosis, an infection mask on its own grid, maps and a page out.

python tools/infer.py scan.nii.gz --model models/quick --out results
python tools/infer.py folder/ --model models/quick --out results --explain all
python tools/infer.py pictures/ --window -1350 150 --spacing 5 0.7 0.7 --model models/quick --out o
python tools/infer.py scan.nii.gz --config CONFIG --checkpoint epoch_20.pth --out results
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ..apis import CTInferencer
from ..apis.batch_inference import CaseOutcome, infer_all
from ..apis.ct_inferencer import EXPLAINED
from ..apis.model_folder.deployed_model import DeployedModel
from ..data_prep.case_table import find_cases
from ..data_prep.io.image_folder import ImageFolderSpec
from ..engine.config import load_config
from ..utils.errors import user_errors
from .parser import CommandParser

TOOL = 'tools/infer.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors():
        cases = find_cases(args.inputs)
        pictured = _pictured(args)
        inferencer = CTInferencer(
            _model(args),
            batch_size=args.batch_size,
            explain=args.explain,
            dicom_seg=args.dicom_seg,
            images=pictured,
        )
        outcomes = infer_all(inferencer, cases, args.out, progress=_bar)
    if not all(_say(outcome, args.out) for outcome in outcomes):
        raise SystemExit(1)


def _pictured(args: argparse.Namespace) -> ImageFolderSpec | None:
    if not args.window and not args.spacing:
        return None
    if not (args.window and args.spacing):
        raise ValueError('pictures need both --window LOW HIGH and --spacing Z Y X')
    return ImageFolderSpec(tuple(args.window), tuple(args.spacing))


def _bar(names: Sequence[str]) -> Iterable[str]:
    return track(names, 'reading scans', len(names))


def _model(args: argparse.Namespace) -> DeployedModel:
    if args.model and not (args.config or args.checkpoint):
        return DeployedModel.from_folder(args.model)
    if args.config and args.checkpoint and not args.model:
        return DeployedModel.from_checkpoint(load_config(args.config), args.checkpoint)
    raise ValueError('give either --model FOLDER, or --config and --checkpoint')


def _say(outcome: CaseOutcome, out: Path) -> bool:
    """One line for a case; whether it was predicted."""
    if outcome.prediction is None:
        sys.stderr.write(f'error: {outcome.case}: {outcome.error}\n')
        return False
    patient, total = outcome.prediction['patient'], outcome.prediction['burden']['total']
    Console(highlight=False).print(
        f'{outcome.case}: {patient["label"]} ({patient["confidence"]:.0%}), '
        f'{total["infection_ml"]:.0f} ml infected; {out / outcome.case / "report.html"}',
        soft_wrap=True,
    )
    return True


def _steps(text: str) -> int | None:
    return None if text == 'all' else int(text)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('inputs', nargs='+', help='scans, or folders of scans')
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
    parser.add_argument('--batch-size', type=int, default=16, help='slices at a time')
    parser.add_argument(
        '--explain', type=_steps, default=EXPLAINED, help='slices that get a saliency, or all'
    )
    parser.add_argument(
        '--dicom-seg',
        action='store_true',
        help='masks of DICOM scans as DICOM-SEG too; it holds the UIDs of study, series and images',
    )
    return parser
