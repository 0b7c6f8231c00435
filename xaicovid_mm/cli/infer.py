"""Scans in; per scan a diagnosis, an infection mask on its own grid, maps and a page out.

python tools/infer.py scan.nii.gz --model models/quick --out results
python tools/infer.py folder/ --model models/quick --out results --explain all
python tools/infer.py pictures/ --window -1350 150 --spacing 5 0.7 0.7 --model models/quick --out o
python tools/infer.py scan.nii.gz --config CONFIG --checkpoint epoch_20.pth --out results
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..data_prep.lungs import METHODS
from ..utils.errors import user_errors
from .options import add_device, use_device
from .parser import CommandParser, at_least_1, finite, label_value

TOOL = 'tools/infer.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors(f'predicting into {args.out}'):
        use_device(args.device)
        from .infer_run import infer

        infer(args)


def _slices(text: str) -> int | str:
    if text != 'all' and not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text!r} is neither all nor a number of slices')
    return text if text == 'all' else int(text)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('inputs', nargs='+', help='scans, or folders of scans, any depth')
    parser.add_argument('--out', type=Path, required=True, help='gets a folder per scan')
    parser.add_argument('--model', type=Path, help='folder of tools/publish_model.py')
    parser.add_argument('--config', help='of a training run, with --checkpoint')
    parser.add_argument('--checkpoint', help='of a training run, with --config')
    parser.add_argument(
        '--window', type=finite, nargs=2, metavar='HU', help='of pictures: HU of black and of white'
    )
    parser.add_argument(
        '--spacing',
        type=finite,
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
        '--lung-values',
        type=label_value,
        nargs='+',
        default=[],
        metavar='N',
        help='values that count in --lung if it is a label map',
    )
    parser.add_argument(
        '--lungs',
        choices=METHODS,
        help='how lungs are found; default: with --lung-config hybrid, else threshold',
    )
    parser.add_argument('--lung-config', type=Path, help='of a lung model')
    parser.add_argument(
        '--lung-checkpoint', type=Path, help='weights of a lung model, or of lungmask'
    )
    add_device(parser)
    parser.add_argument(
        '--workers', type=at_least_1, default=1, help='scans side by side, in processes'
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='keep what is there of the same scan, model and lungs, and predict the rest',
    )
    parser.add_argument('--batch-size', type=at_least_1, default=16, help='slices at a time')
    parser.add_argument(
        '--explain',
        type=_slices,
        metavar='N',
        help='slices that get a saliency, or all; default: the 8 that weigh most',
    )
    parser.add_argument(
        '--uncertainty', action='store_true', help='write where the mask is unsure too'
    )
    parser.add_argument(
        '--infection-saliency',
        action='store_true',
        help='explain the infection too, in the slices that get a saliency of the class',
    )
    parser.add_argument(
        '--dicom-seg',
        action='store_true',
        help='masks as DICOM-SEG too, for DICOM scans only; it holds the UIDs of study, series and '
        'images',
    )
    return parser
