"""Report on one scan from Python: an example to copy from. The command is tools/infer.py.

python tools/demo/infer_scan.py scan.nii.gz --model models/quick --out case
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.paths import output_folder
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.terminal import Console


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        output_folder(args.out, '--out')
        from xaicovid_mm.apis import CTInferencer

        infer = CTInferencer(args.model)  # once for any number of scans
        prediction = infer(args.scan, args.out)
        patient, burden = prediction['patient'], prediction['burden']['total']
        each = ', '.join(f'{name} {prob:.2f}' for name, prob in patient['probabilities'].items())
        Console().print(f'class: {patient["label"]} ({each})')
        Console().print(f'infection: {burden["infection_ml"]} of {burden["lung_ml"]} ml of lung')
        Console(soft_wrap=True).print(f'masks, maps and page: {args.out}')


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/demo/infer_scan.py')
    parser.add_argument('scan', type=Path, help='NIfTI file or DICOM series')
    parser.add_argument('--model', required=True, help='folder of tools/publish_model.py')
    parser.add_argument('--out', type=Path, default=Path('case'), help='folder to make')
    return parser


if __name__ == '__main__':
    main()
