"""The page and the pictures of the bench."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xaicovid_mm.utils.files import write_text
from xaicovid_mm.visualization.save_figure import save_figure

from .names import NONE, PHANTOMS, PLACELESS
from .scoring import MAPS, ORACLES, Bench

FOUND = 0.7
"""A map whose AUC inside the lungs is at least this finds what it is compared with."""
RELIES = 0.1
"""A network whose probability of COVID-19 falls by more without the shortcut relies on it."""
LOCALISATION = {
    'cause AUC': 'cause_auc',
    'cause AP': 'cause_average_precision',
    'cause pointing': 'cause_pointing_game',
    'shortcut AUC': 'shortcut_auc',
    'shortcut AP': 'shortcut_average_precision',
}
FAITHFULNESS = {
    'deletion': 'deletion_auc',
    'insertion': 'insertion_auc',
    'ROAD': 'road',
    'infidelity': 'infidelity',
}
SANITY = {
    'random weights': 'cascade_rank_correlation',
    'mirrored': 'flip_rank_correlation',
    'noise': 'noise_rank_correlation',
}
OTHER_NETWORKS = {
    'other seed': 'seed_rank_correlation',
    'shuffled classes': 'label_rank_correlation',
}
SIDE, TITLE = 1.2, 0.25
"""Width of a slice and height of the titles in a picture, in inches."""
BETTER = {'deletion': -1, 'insertion': 1, 'ROAD': 1, 'infidelity': -1}
"""Whether more or less of a faithfulness score is better."""
INTRODUCTION = f"""# What the maps show

Written by `tools/analysis_tools/explain_bench.py`. All figures are phantom figures: every scan is
made up, so its evidence is known, and in all phantoms but `{NONE}` a shortcut that is no disease
was planted in every COVID-19 scan. The maps explain COVID-19, on test slices with COVID-19. Scores
are means over patients of means over their slices, on the pixels that the network sees. Each
network of a table was trained once: nothing is said about differences between systems.

- **AUC, AP, pointing**: where the map lies. Read them beside the maps `blank`, `intensity` (the
  slice itself) and `random`, which know nothing of the network.
- **deletion** (low is good), **insertion**, **ROAD** (high is good), **infidelity** (low is good):
  whether the class hangs on what the map names. `the_cause` and `the_shortcut` are the planted
  evidence itself, taken as a map.
- **random weights**: rank correlation of the map with that of the same network with random weights,
  mean over the cascade; low is good. **mirrored**, **noise**: rank correlation with the map of the
  mirrored or noisy slice; high is good. **other seed**: with the map of a second network that
  differs in its seed alone; high is good. **shuffled classes**: with that of a network whose
  training patients had their classes dealt anew; low is good for a map that explains the class. A
  map that learns from masks need not fall: masks are not dealt.
- **finds**: the lesion or the shortcut, where the AUC is at least {FOUND}. A brightness shift lies
  everywhere, so no map can point at it, and it is no map itself. Where a mass lies outside the
  lungs, the network sees the whole slice, and lungs alone are easy to find in it.

[The definitions](../reference/metrics.md#explanations) say more.

"""


def write_page(path: Path, results: Mapping[str, Mapping[str, Any]], how: str) -> None:
    """Write the page.

    Args:
        path: Markdown file; the folder of the pictures lies beside its folder.
        results: Of ``Bench.scores``, by '<phantom>/<system>'.
        how: The command, and what the figures come from.
    """
    text = f'{INTRODUCTION}{how}\n\n'
    run = {name.partition('/')[0] for name in results}
    if missing := [f'`{phantom}`' for phantom in PHANTOMS if phantom not in run]:
        text += f'Not run for this page: {", ".join(missing)}.\n\n'
    text += '## Which networks use the shortcut\n\n'
    header = ['phantom', 'system', 'right slices', 'p(COVID-19)', 'without the shortcut']
    text += _table([*header, 'relies on it'], [_use(*item) for item in results.items()])
    text += (
        '\n`without the shortcut` are the same scans of the same patients before it was planted. A '
        'network relies\non it if the mean probability of COVID-19 falls by more than '
        f'{RELIES}.\n'
    )
    text += '\n## Which maps find what\n\n'
    header = [
        'phantom',
        'system',
        'find the lesion',
        'find the shortcut',
        'better than `intensity`',
    ]
    text += _table(header, [_finders(*item) for item in results.items()])
    text += (
        f'\nFinding is an AUC of at least {FOUND}; the last column names the maps whose AUC of the '
        'lesion is above that of\nthe slice itself.\n'
    )
    placed = {k: r for k, r in results.items() if k.partition('/')[0] not in (NONE, *PLACELESS)}
    if placed:
        text += (
            '\n## Which scores notice\n\nThe cause and the shortcut themselves are taken as maps. '
            'A score that works prefers the shortcut where the\nnetwork relies on it. In brackets: '
            'shortcut to cause.\n\n'
        )
        rows = [[*k.split('/'), *(_preferred(r, s) for s in BETTER)] for k, r in placed.items()]
        text += _table(['phantom', 'system', *BETTER], rows)
        if not any(reliance(r) > RELIES for r in placed.values()):
            text += (
                '\nBy the rule above no network of this table relies on its shortcut, so the table '
                'does not say which\nscores work. It takes longer trainings or more patients.\n'
            )
    for name, r in results.items():
        phantom, _, system = name.partition('/')
        text += f'\n## {phantom}, {system}\n\n'
        text += f'{r["slices"]} slices of {r["patients"]} patients.\n\n'
        for columns in (LOCALISATION, FAITHFULNESS, SANITY, OTHER_NETWORKS):
            if table := _scores(phantom, r['table'], columns):
                text += table + '\n'
        text += f'![Slices and maps: {phantom}, {system}](../{r["picture"]})\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def reliance(result: Mapping[str, Any]) -> float:
    """How much the mean probability of COVID-19 falls when the shortcut is taken away."""
    probability = result['covid_probability']
    return probability['with_shortcut'] - probability['without']


def draw(path: Path, bench: Bench, positions: np.ndarray) -> None:
    """Draw slices with their cause and shortcut outlined, and all maps beside them.

    Args:
        path: PNG file.
        bench: The network and its test slices.
        positions: Of the slices.
    """
    images, targets = bench.images(positions)[:, 0].numpy(), bench.targets(positions)
    maps, box = bench.maps(positions), _box((images > 0).any(0))
    height, width = images[0][box].shape
    inches = (SIDE * (1 + len(maps)), SIDE * height / width * len(positions) + TITLE)
    figure = Figure(figsize=inches, dpi=80)
    axes = figure.subplots(len(positions), 1 + len(maps), squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - TITLE / inches[1], wspace=0.02, hspace=0.02)
    for i, line in enumerate(axes):
        for axis, picture in zip(line, (images[i], *(m[i] for m in maps.values())), strict=True):
            heat = axis is not line[0]
            seen = np.where(images[i] > 0, picture, np.nan) if heat else picture
            axis.imshow(seen[box], cmap='viridis' if heat else 'gray')
            axis.set_axis_off()
            for name, colour in (('cause', '#ff7f0e'), ('shortcut', '#e6007e')):
                mask = targets[name][i]
                if mask is not None and mask.any() and not mask.all():
                    axis.contour(mask[box], [0.5], colors=colour, linewidths=0.7)
    for axis, title in zip(axes[0], ('slice', *maps), strict=True):
        axis.set_title(title, fontsize=7, pad=2)
    save_figure(figure, path, dpi=80)


def _box(seen: np.ndarray) -> tuple[slice, slice]:
    """The smallest box that holds all pixels that a network sees, bool (H, W)."""
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _use(name: str, result: Mapping[str, Any]) -> list[str]:
    probability = result['covid_probability']
    uses = 'yes' if reliance(result) > RELIES else 'no'
    return [
        *name.split('/'),
        f'{result["accuracy_slice"]:.2f}',
        *(f'{probability[key]:.2f}' for key in ('with_shortcut', 'without')),
        'n/a' if name.startswith(f'{NONE}/') else uses,
    ]


def _finders(name: str, result: Mapping[str, Any]) -> list[str]:
    phantom, _, system = name.partition('/')
    table, plain = result['table'], _value(result['table'], 'intensity', 'cause_auc') or 0
    maps = [m for m in MAPS if _value(table, m, 'cause_auc') is not None]
    lists = (
        [m for m in maps if 'lesion' in _found(phantom, table, m)],
        [m for m in maps if 'shortcut' in _found(phantom, table, m)],
        [m for m in maps if (_value(table, m, 'cause_auc') or 0) > plain],
    )
    return [phantom, system, *(', '.join(found) or 'none' for found in lists)]


def _scores(phantom: str, table: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """A table of some scores of every map that has one of them; the last says what it finds."""
    found = _found if columns is SANITY else None
    known = {key.partition('/')[2] for key in table}
    columns = {k: score for k, score in columns.items() if f'{score}_patient_mean' in known}
    rows = []
    for name in dict.fromkeys(key.partition('/')[0] for key in table):
        if phantom in PLACELESS and name == ORACLES[1]:
            continue
        cells = [_cell(_value(table, name, score), score, phantom) for score in columns.values()]
        if {*cells} != {'n/a'}:
            rows.append([name, *cells, *([found(phantom, table, name)] if found else [])])
    return _table(['map', *columns, *(['finds'] if found else [])], rows) if columns else ''


def _cell(value: float | None, score: str, phantom: str) -> str:
    hidden = phantom in PLACELESS and score.startswith('shortcut')
    return 'n/a' if value is None or hidden else f'{value:.3g}'


def _found(phantom: str, table: Mapping[str, Any], name: str) -> str:
    what = dict(lesion='cause_auc') | (
        {} if phantom in PLACELESS else dict(shortcut='shortcut_auc')
    )
    found = [k for k, score in what.items() if (_value(table, name, score) or 0) >= FOUND]
    return ' and '.join(found) or 'neither'


def _value(table: Mapping[str, Mapping[str, Any]], name: str, score: str) -> float | None:
    entry = table.get(f'{name}/{score}_patient_mean')
    return None if entry is None else entry['value']


def _preferred(result: Mapping[str, Any], score: str) -> str:
    """Which of the two oracles a faithfulness score prefers."""
    values = [_value(result['table'], name, FAITHFULNESS[score]) for name in ORACLES]
    cause, shortcut = values
    if cause is None or shortcut is None or cause == shortcut:
        return 'n/a'
    better = 'shortcut' if BETTER[score] * (shortcut - cause) > 0 else 'cause'
    return f'{better} ({shortcut:.3g} to {cause:.3g})'


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ['---'] * len(header), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)
