"""One row of pictures per slice: what the network saw, found, and why (Fig. 4)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

PANELS = ('saliency', 'caam', 'cam', 'prob', 'pseudo_mask')
TITLES = {
    'saliency': 'saliency',
    'caam': 'CAAM$_l$',
    'cam': 'CAM',
    'prob': 'decoder',
    'pseudo_mask': 'pseudo label',
}
OUTCOMES = {'TP': (0.0, 0.62, 0.45), 'FP': (0.9, 0.62, 0.0), 'FN': (0.8, 0.4, 0.65)}
"""Colours that remain apart for the colour-blind."""


def draw_strip(rows: Sequence[dict], path: str | Path) -> None:
    """Draw CT, explanations, prediction, pseudo label, truth and errors of some slices.

    Args:
        rows: One dict per slice: ``title``; ``image``, ``infection`` and each of ``PANELS``, all
            (H, W), in [0, 1].
        path: PNG to write.
    """
    columns = len(PANELS) + 3
    figure = Figure(figsize=(1.5 * columns, 1.62 * len(rows) + 0.35), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        _draw_row(line, row)
    for axis, title in zip(
        axes[0], ('CT', *TITLES.values(), 'ground truth', 'TP / FP / FN'), strict=True
    ):
        axis.set_title(title, fontsize=9)
    handles = [Patch(color=colour, label=name) for name, colour in OUTCOMES.items()]
    axes[0, -1].legend(handles=handles, fontsize=6, loc='lower right', framealpha=0.7)
    figure.savefig(path, dpi=130)


def _draw_row(line: np.ndarray, row: dict) -> None:
    for axis in line:
        axis.set(xticks=[], yticks=[])
        axis.imshow(row['image'], cmap='gray', vmin=0, vmax=1)
    for axis, name in zip(line[1:], PANELS, strict=False):
        axis.imshow(row[name], cmap='inferno', vmin=0, vmax=1, alpha=0.75)
    line[0].set_ylabel(row['title'], fontsize=7)
    true, found = row['infection'] > 0, row['prob'] > 0.5
    line[-2].imshow(_painted({'TP': true}))
    line[-1].imshow(_painted({'TP': true & found, 'FP': found & ~true, 'FN': true & ~found}))


def _painted(regions: dict[str, np.ndarray]) -> np.ndarray:
    """RGBA (H, W, 4), transparent outside the regions."""
    shape = next(iter(regions.values())).shape
    picture = np.zeros((*shape, 4))
    for name, region in regions.items():
        picture[region] = (*OUTCOMES[name], 0.8)
    return picture
