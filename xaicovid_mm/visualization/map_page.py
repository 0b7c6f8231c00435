"""A page of slices with their maps, and what each map scores on each slice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from ..classes import CLASSES
from ..datasets import SliceDataset
from ..evaluation.explanation.localisation import localisation_scores
from ..evaluation.explanation.map_status import OK, map_status
from ..explain import Explainer, IntensityExplainer
from ..models import MultiTaskModel
from .save_figure import save_figure

SLICE = 'intensity'
"""The slice itself as a map: what brightness alone scores."""
TITLES = {
    SLICE: 'slice (intensity)',
    'caam': 'CAAM',
    'class_map': 'class map',
    'infection_saliency': 'of the infection',
}
"""Of columns; others have the name of their map."""
SHOWN = {'AUC': 'auc', 'AP': 'average_precision'}
INCH, LEFT, TOP, TEXT = 1.3, 1.05, 0.3, 0.17  # side of a panel, and room for words
OUTLINE = '#00e5ff'


def scored_maps(
    model: MultiTaskModel,
    explainers: Mapping[str, Explainer],
    dataset: SliceDataset,
    positions: Sequence[int],
) -> list[dict[str, Any]]:
    """Explain the true class of slices with infection, and score each map inside the lungs.

    Args:
        model: The network, without distributed wrapper.
        explainers: By the name of the map. ``SLICE`` is scored besides.
        dataset: Dataset whose slices have masks and classes.
        positions: Of the slices in the dataset, see ``drawn_slices``.

    Returns:
        For each slice: ``title``, ``infection`` and ``lung`` (bool (H, W)), ``share`` (of the lung
        that is infected), ``maps``, (H, W) by name, and ``scores``, those of
        ``localisation_scores`` by name; none of a map that is not finite.

    Raises:
        ValueError: If the class of a slice is not known.
    """
    items = [dataset[position] for position in positions]
    samples = [item['data_samples'] for item in items]
    if unknown := [sample.sample_id for sample in samples if 'label' not in sample]:
        raise ValueError(f'the class of {unknown[0]} is not known: nothing says what to explain')
    images = model.data_preprocessor({'inputs': [item['inputs'] for item in items]})['inputs']
    labels = torch.stack([sample.label for sample in samples]).to(images.device)
    every = {SLICE: IntensityExplainer(), **explainers}
    maps = {name: explain(model, images, labels) for name, explain in every.items()}
    rows = []
    for i, sample in enumerate(samples):
        named = CLASSES[int(sample.label)]
        seen = (images[i, 0] != 0).cpu().numpy()
        lung = sample.lung[0].cpu().numpy() > 0 if 'lung' in sample else seen
        infection = sample.infection[0].cpu().numpy() > 0
        shown = {name: stack[i, 0].float().cpu().numpy() for name, stack in maps.items()}
        inside = infection[lung]
        rows.append(
            dict(
                title='\n'.join([sample.case, f'store slice {sample.slice_index}', named]),
                infection=infection,
                lung=lung,
                share=float(inside.mean()),
                maps=shown,
                scores={name: _scores(values[lung], inside) for name, values in shown.items()},
            )
        )
    return rows


def mean_scores(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return the mean over slices of AUC and AP of each map; None where no slice has one."""
    return {
        name: {
            title: float(np.mean(known))
            if (known := [r['scores'][name][key] for r in rows if key in r['scores'][name]])
            else None
            for title, key in SHOWN.items()
        }
        for name in rows[0]['maps']
    }


def draw_map_page(rows: Sequence[dict[str, Any]], path: str | Path) -> None:
    """Draw a row of panels per slice, each with its AUC and AP; the true infection is outlined.

    Each map is drawn inside the lungs, from 0 to the largest value that it has there.

    Args:
        rows: Of ``scored_maps``.
        path: PNG or PDF file to write. Its folder is made if it does not exist.
    """
    names = [*rows[0]['maps']]
    boxes = [_box(row['lung']) for row in rows]
    heights = [INCH * _ratio(box) + TEXT for box in boxes]
    size = (LEFT + len(names) * INCH, TOP + sum(heights))
    figure = Figure(figsize=size)
    top = size[1] - TOP
    for row, box, height in zip(rows, boxes, heights, strict=True):
        top -= height
        middle = (top + (height - TEXT) / 2) / size[1]
        text = f'{row["title"]}\n{row["share"]:.1%} of lung'
        figure.text(0.04 / size[0], middle, text, fontsize=6.5, va='center')
        for column, name in enumerate(names):
            left, width = ((LEFT + column * INCH) / size[0], INCH * 0.98 / size[0])
            axis = figure.add_axes((left, top / size[1], width, (height - TEXT) / size[1]))
            _draw(axis, row, name, box)
    for column, name in enumerate(names):
        x = (LEFT + (column + 0.49) * INCH) / size[0]
        figure.text(x, 1 - 0.16 / size[1], TITLES.get(name, name), fontsize=9, ha='center')
    save_figure(figure, path, dpi=100)


def _draw(axis: Any, row: dict[str, Any], name: str, box: tuple[slice, slice]) -> None:
    values = np.where(row['lung'], row['maps'][name], np.nan)[box]
    axis.imshow(
        values,
        cmap='gray' if name == SLICE else 'inferno',
        vmin=0,
        vmax=values[np.isfinite(values)].max(initial=1e-9),
        aspect='auto',
        interpolation='nearest',
    )
    axis.set(xticks=[], yticks=[], facecolor='#d8d8d8')
    axis.spines[:].set_visible(False)
    if row['infection'][box].any():
        axis.contour(row['infection'][box], [0.5], colors=OUTLINE, linewidths=0.8)
    scores = row['scores'][name]
    text = '  '.join(f'{title} {scores[key]:.2f}' for title, key in SHOWN.items() if key in scores)
    status = map_status(row['maps'][name][row['lung']])
    words = [text, *([] if status == OK else [status.replace('_', ' ')])]
    axis.set_title('  '.join(word for word in words if word), fontsize=6.5, pad=1.5)


def _scores(values: np.ndarray, target: np.ndarray) -> dict[str, float]:
    return localisation_scores(values, target) if np.isfinite(values).all() else {}


def _box(lung: np.ndarray) -> tuple[slice, slice]:
    """The smallest box that holds the lung, bool (H, W)."""
    rows, columns = (np.flatnonzero(lung.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _ratio(box: tuple[slice, slice]) -> float:
    rows, columns = (part.stop - part.start for part in box)
    return rows / columns
