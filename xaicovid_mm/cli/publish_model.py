"""Make a folder of a trained model that can be shared: weights and data, nothing that runs.

python tools/test.py configs/quick/recommended_semi.py epoch_20.pth --role val
python tools/publish_model.py configs/quick/recommended_semi.py epoch_20.pth models/quick
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..evaluation.aggregation import AGGREGATIONS
from ..utils.errors import user_errors
from ..utils.extras import need_extra
from .options import add_cfg_options
from .parser import CommandParser
from .paths import checkpoint_file, output_folder

TOOL = 'tools/publish_model.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors(f'publishing {args.checkpoint}'):
        _publish(args)


def _publish(args: argparse.Namespace) -> None:
    from ..apis import init_model
    from ..apis.model_folder.description import describe, model_card, onnx_bytes
    from ..apis.model_folder.files import write_model_folder
    from ..engine.config import argument_errors, load_config
    from ..evaluation.classification_scores import patient_probs
    from ..evaluation.slice_scores import ROW_FILES, class_probs, read_rows
    from ..evaluation.temperature_scaling import left_out_probs
    from ..utils.terminal import Console
    from ..visualization.reliability_diagram import reliability_png

    cfg = load_config(args.config, args.cfg_options)
    checkpoint_file(args.checkpoint)
    output_folder(args.out, 'out')
    if args.onnx:
        need_extra('onnxscript', 'onnx', '--onnx')
    tested = args.tested or args.checkpoint.parent / 'test_val'
    description = describe(cfg, args.checkpoint, tested=tested, aggregation=args.aggregation)
    with argument_errors(cfg):
        model = init_model(cfg, args.checkpoint)
    rows = read_rows(tested / ROW_FILES['cls'])
    names = [row['patient'] for row in rows]
    labels, probs = patient_probs(*class_probs(rows), names, args.aggregation)
    curves = {'as trained': probs}
    if description['calibration']['calibrated']:
        curves['with temperature'] = left_out_probs(probs, labels, range(len(labels)))
    extras = {
        'README.md': model_card(args.out.name, description, onnx=args.onnx).encode(),
        'reliability.png': reliability_png(labels, curves),
    }
    if args.onnx:
        extras['model.onnx'] = onnx_bytes(model, description['preprocessing']['size'])
    write_model_folder(args.out, model, description=description, extras=extras)
    Console(soft_wrap=True).print(f'model folder: {args.out}')


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('config')
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument('--tested', type=Path, help='of tools/test.py; default: test_val beside it')
    parser.add_argument('--aggregation', choices=list(AGGREGATIONS), default='mean')
    parser.add_argument(
        '--onnx', action='store_true', help="add model.onnx (pip install '.[onnx]')"
    )
    add_cfg_options(parser)
    return parser
