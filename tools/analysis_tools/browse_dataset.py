r"""Draw training slices as the network gets them: weak view, strong view, mask and pseudo label.

python tools/analysis_tools/browse_dataset.py configs/quick/semi_vgg.py --num 6 --out browse.png
python tools/analysis_tools/browse_dataset.py configs/quick/semi_vgg.py \
    --checkpoint work_dirs/quick_semi_vgg/epoch_20.pth --out labels.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.cli.parser import CommandParser, at_least_0, at_least_1
from xaicovid_mm.cli.paths import checkpoint_file, output_picture
from xaicovid_mm.utils.errors import user_errors

MOST = 200
"""Slices that fit a picture."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _browse(args)


def _browse(args: argparse.Namespace) -> None:
    from xaicovid_mm.engine.config import argument_errors, load_config
    from xaicovid_mm.utils.terminal import Console

    output_picture(args.out)
    if args.num > MOST:
        raise ValueError(f'--num {args.num}: at most {MOST} slices fit a picture')
    cfg = load_config(args.config, args.cfg_options)
    with argument_errors(cfg):
        items = _draws(cfg, args.num, args.seed)
        labels = _pseudo_labels(cfg, args.checkpoint, items) if args.checkpoint else {}
    _draw(items, labels, args.out)
    Console(soft_wrap=True).print(f'{len(items)} slices: {args.out}')


def _draws(cfg: Any, num: int, seed: int) -> list[dict]:
    """The first draws of a training run: as many labelled as unlabelled ones, if there are any."""
    from mmengine.registry import init_default_scope

    from xaicovid_mm.registry import DATA_SAMPLERS, DATASETS

    init_default_scope('xaicovid_mm')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sampler = DATA_SAMPLERS.build(
        {**cfg.train_dataloader.sampler, 'dataset': dataset, 'seed': seed}
    )
    drawn: dict[bool, list[dict]] = {True: [], False: []}
    kinds = 2 if len(getattr(dataset, 'unlabelled_positions', [])) else 1
    for draw in sampler:
        known = bool(dataset.is_labelled[draw.position])
        if len(drawn[known]) < -(-num // kinds):
            drawn[known].append(dataset[draw])
        if sum(map(len, drawn.values())) >= num:
            break
    return [*drawn[True], *drawn[False]][:num]


def _pseudo_labels(cfg: Any, checkpoint: str, items: list[dict]) -> dict[int, Any]:
    """Soft masks of the unlabelled items, by position in the list."""
    from xaicovid_mm.engine.trained_model import trained_model
    from xaicovid_mm.visualization.explain_slices import figure_labeler

    model = trained_model(cfg, checkpoint_file(checkpoint))
    rows = [n for n, item in enumerate(items) if not item['data_samples'].is_labelled]
    if not rows:
        return {}
    weak = [items[n].get('weak_inputs', items[n]['inputs']) for n in rows]
    images = model.data_preprocessor({'inputs': weak})['inputs']
    labeler = figure_labeler(cfg)
    masks = labeler.fuse(labeler.sources(model, images))
    return {n: mask[0].numpy() for n, mask in zip(rows, masks, strict=True)}


def _draw(items: list[dict], labels: dict[int, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    from xaicovid_mm.visualization.save_figure import save_figure

    columns = ('weak view', 'strong view', 'mask', 'pseudo label')
    figure = Figure(figsize=(2.2 * len(columns), 2.3 * len(items)), layout='constrained')
    axes = figure.subplots(len(items), len(columns), squeeze=False)
    for n, (item, line) in enumerate(zip(items, axes, strict=True)):
        sample = item['data_samples']
        weak = item.get('weak_inputs', item['inputs'])[0]
        views = (weak, item['inputs'][0], weak, weak)
        for axis, view, title in zip(line, views, columns, strict=True):
            axis.imshow(view, cmap='gray', vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[], title='' if n else title)
        role = 'labelled' if sample.is_labelled else 'unlabelled'
        line[0].set_ylabel(f'{role}\n{sample.case}, store slice {sample.slice_index}', fontsize=7)
        masks = (sample.infection[0] if 'infection' in sample else None, labels.get(n))
        for axis, mask in zip(line[2:], masks, strict=True):
            if mask is None:
                axis.text(0.5, 0.5, 'none', color='w', ha='center', transform=axis.transAxes)
            else:
                axis.imshow(mask, cmap='inferno', vmin=0, vmax=1, alpha=0.6)
    save_figure(figure, path, dpi=110)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/analysis_tools/browse_dataset.py')
    parser.add_argument('config', help='a file below configs/')
    parser.add_argument('--checkpoint', help='draw its pseudo labels too')
    parser.add_argument('--num', type=at_least_1, default=6, help='slices; default: %(default)s')
    parser.add_argument('--seed', type=at_least_0, default=0, help='of the draws')
    parser.add_argument(
        '--out', type=Path, default=Path('browse.png'), help='picture; default: %(default)s'
    )
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
