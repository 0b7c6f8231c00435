"""Figure strip: a row of panels per slice with image, maps, masks and errors (Fig. 4)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..utils.overlap import dice_iou
from .save_figure import save_figure

PANELS = ('saliency', 'caam', 'cam', 'prob', 'pseudo_mask')
TITLES = {
    'saliency': 'saliency',
    'caam': 'CAAM$_l$',
    'cam': 'CAM',
    'prob': 'decoder',
    'pseudo_mask': 'pseudo label',
}
COLOURS = {'TP': (0.0, 0.62, 0.45), 'FP': (0.9, 0.62, 0.0), 'FN': (0.8, 0.4, 0.65)}
"""RGB of the pixels; the colours can be told apart with colour blindness."""

COLUMNS = ('CT', *TITLES.values(), 'ground truth', 'TP / FP / FN')
INCH = 1.35  # side of a panel
LEFT, TOP, BOTTOM, GAP = 0.46, 0.24, 0.32, 0.03  # inches


def draw_strip(rows: Sequence[dict], path: str | Path) -> None:
    """Draw image, explanation maps, prediction, pseudo label, truth and errors of slices.

    Args:
        rows: A dict per slice: ``title``, ``predicted``, bool (H, W), and ``image``, ``infection``
            and each of ``PANELS``, all (H, W) in [0, 1].
        path: PNG or PDF file to write. Its folder is made if it does not exist.

    Raises:
        ValueError: If there are no rows.
    """
    if not rows:
        raise ValueError(f'{path}: no slices to draw; choose patients with infection')
    figure = draw_figure(rows)
    save_figure(figure, path, dpi=200)


def draw_figure(rows: Sequence[dict]) -> Figure:
    """Return the figure of ``draw_strip``: a row of panels as in ``COLUMNS`` per slice."""
    width = LEFT + len(COLUMNS) * INCH + GAP
    height = TOP + len(rows) * INCH + BOTTOM
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    figure.subplots_adjust(
        left=LEFT / width,
        right=1 - GAP / width,
        bottom=BOTTOM / height,
        top=1 - TOP / height,
        wspace=GAP / INCH,
        hspace=GAP / INCH,
    )
    for line, row in zip(axes, rows, strict=True):
        _draw_row(line, row)
    for axis, title in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(title, fontsize=9, pad=3)
    _draw_legend(figure, width, height)
    return figure


def _draw_row(line: Sequence[Axes], row: dict) -> None:
    true, predicted = row['infection'] > 0, row['predicted']
    for axis in line:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        axis.imshow(row['image'], cmap='gray', vmin=0, vmax=1)
    for axis, name in zip(line[1:], PANELS, strict=False):
        axis.imshow(_heat_map(row[name]))
    regions = {'TP': true & predicted, 'FP': predicted & ~true, 'FN': true & ~predicted}
    dice = dice_iou(np.array([region.sum() for region in regions.values()]))[0]
    line[0].set_ylabel(f'{row["title"]}\nDice {dice:.2f}', fontsize=7, labelpad=3)
    line[-2].imshow(_coloured({'TP': true}))
    line[-1].imshow(_coloured(regions))


def _draw_legend(figure: Figure, width: float, height: float) -> None:
    handles = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(
        handles=handles,
        fontsize=7.5,
        loc='lower right',
        bbox_to_anchor=(1, 0),
        ncols=3,
        frameon=False,
        columnspacing=1,
        handlelength=1.2,
    )
    left, wide = (LEFT + INCH) / width, (len(PANELS) * INCH - GAP) / width
    bar = figure.add_axes((left, 0.2 / height, wide, 0.07 / height), label='scale')
    figure.colorbar(ScalarMappable(cmap='inferno'), cax=bar, orientation='horizontal')
    bar.set_xticks([0, 0.5, 1], ['0', '0.5', '1'])
    bar.tick_params(labelsize=7, length=2, pad=1)


def _heat_map(values: np.ndarray) -> np.ndarray:
    """Return a map in [0, 1] as RGBA (H, W, 4), more transparent where it is low."""
    overlay = colormaps['inferno'](values)
    overlay[..., 3] = np.clip(0.15 + 1.4 * values, 0, 0.85)
    return overlay


def _coloured(regions: dict[str, np.ndarray]) -> np.ndarray:
    """Return regions in their colours as RGBA (H, W, 4), transparent elsewhere."""
    shape = next(iter(regions.values())).shape
    overlay = np.zeros((*shape, 4))
    for name, region in regions.items():
        overlay[region] = (*COLOURS[name], 0.8)
    return overlay
