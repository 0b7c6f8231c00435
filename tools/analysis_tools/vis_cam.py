r"""Draw an explanation map of a published model over the slices of a scan.

Slices count from 1 at the head, as in the report.

python tools/analysis_tools/vis_cam.py scan.nii.gz --model work_dirs/quick_recommended_semi/model \
    --map caam --num 4 --out caam.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.cli.paths import output_picture
from xaicovid_mm.utils.errors import user_errors

MAPS = ('caam', 'cam', 'saliency')
WINDOW = (-1250, 250)
"""HU that are black and white."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _draw(args)


def _draw(args: argparse.Namespace) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    from xaicovid_mm.apis import CTInferencer
    from xaicovid_mm.data_prep.io.scan import read_scan, read_volume
    from xaicovid_mm.data_prep.slicing.windowing import apply_window
    from xaicovid_mm.utils.terminal import Console
    from xaicovid_mm.visualization.save_figure import save_figure

    output_picture(args.out)
    hu = read_scan(args.scan).data
    if args.slice is not None and args.slice > len(hu):
        raise ValueError(f'--slice {args.slice}: {args.scan} has the slices 1 to {len(hu)}')
    with TemporaryDirectory() as folder:
        out = Path(folder, 'prediction')
        prediction = CTInferencer(args.model, explain=None)(args.scan, out)
        heat = read_volume(out / f'{args.map}.nii.gz').data
    heights = np.argsort(-heat.sum((1, 2), dtype=float), kind='stable')[: args.num]
    if args.slice is not None:
        heights = np.array([len(hu) - args.slice])
    figure = Figure(figsize=(3 * len(heights), 3.4), layout='constrained')
    top = max(heat.max() / 255, 1e-9)
    for axis, z in zip(figure.subplots(1, len(heights), squeeze=False)[0], heights, strict=True):
        axis.imshow(apply_window(hu[z], WINDOW), cmap='gray', vmin=0, vmax=1)
        image = axis.imshow(heat[z] / 255, cmap='inferno', vmin=0, vmax=top, alpha=0.5)
        axis.set(xticks=[], yticks=[], title=f'slice {len(hu) - z} of {len(hu)}')
    figure.colorbar(image, ax=figure.axes, label=args.map)
    save_figure(figure, args.out, dpi=130)
    Console(soft_wrap=True).print(
        f'{args.map}, predicted {prediction["patient"]["label"]}: {args.out}'
    )


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/analysis_tools/vis_cam.py')
    parser.add_argument('scan', type=Path, help='NIfTI file or DICOM series')
    parser.add_argument('--model', required=True, help='folder of tools/publish_model.py')
    parser.add_argument('--map', choices=MAPS, default='caam', help='default: %(default)s')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--num', type=at_least_1, default=4, help='slices, with the most of the map')
    which.add_argument('--slice', type=at_least_1, help='this slice alone; 1 is at the head')
    parser.add_argument(
        '--out', type=Path, default=Path('map.png'), help='picture; default: %(default)s'
    )
    return parser


if __name__ == '__main__':
    main()
