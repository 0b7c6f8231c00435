"""The report: tables in the paper's form, pictures, and all that is needed to do it again."""

import json
import platform
import shlex
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from ..classes import CLASSES
from ..data_prep.store.reader import SliceStore
from ..data_prep.summary import store_tables
from ..evaluation.metric_definitions import INTERVAL, definition
from ..utils.files import write_text
from .budget import parameters_of
from .runs import Run, Setting
from .scores import Figure, Tests, differences, figures_of
from .systems import DICE, INFECTED, SYSTEMS, TABLES, Table

OURS = ('ours_semi', 'bn_semi')
"""Systems that the tables of differences set against all others."""
AGAINST = (DICE, INFECTED, 'cls/auc_macro_slice')
"""Metrics of the table of differences."""


def write_comparison_report(
    out: Path, setting: Setting, runs: Sequence[Run], tests: Tests, pictures: dict[str, str]
) -> Path:
    """Write ``report.md`` and ``report.json``.

    Args:
        out: Folder.
        setting: What all runs share.
        runs: Every run that was asked for, done or not.
        tests: Of those that are done.
        pictures: Name of each picture in the folder to what it shows.

    Returns:
        The Markdown file.
    """
    figures = {name: figures_of(its) for name, its in tests.items()}
    asked = {run.name for run in runs}
    sizes = {run.name: parameters_of(run) for run in runs if run.name in tests}
    against = {ours: differences(tests, ours) for ours in OURS}
    tables = [_table(table, figures, sizes) for table in TABLES if asked & set(table.rows)]
    scored = _scored(SliceStore(setting.store), setting)
    texts = [
        _head(setting, runs, tests, scored),
        *tables,
        *(_against(ours, its) for ours, its in against.items()),
        *(f'## {title}\n\n![{title}]({name})' for name, title in pictures.items()),
        _definitions(),
        _runs(runs),
    ]
    write_text(out / 'report.md', '\n\n'.join(filter(None, texts)) + '\n')
    content = _as_json(setting, runs, figures, against) | dict(scored=scored, parameters=sizes)
    write_text(out / 'report.json', json.dumps(content, indent=1))
    return out / 'report.md'


def _scored(store: SliceStore, setting: Setting) -> dict[str, int | dict[str, int]]:
    """On whom every figure stands."""
    index = store.index[store.rows(setting.split, setting.role)]

    def patients(entries: np.ndarray) -> int:
        return len({store.cases[case].patient for case in np.unique(entries['case'])})

    infected = index[index['infection_px'] > 0]
    return dict(
        patients=patients(index),
        slices=len(index),
        infected_patients=patients(infected),
        infected_slices=len(infected),
        slices_by_class={name: int((index['label'] == k).sum()) for k, name in enumerate(CLASSES)},
    )


def _head(setting: Setting, runs: Sequence[Run], tests: Tests, scored: dict) -> str:
    store = SliceStore(setting.store)
    warnings = store_tables(store, setting.split)[1]
    if absent := [name for name, count in scored['slices_by_class'].items() if not count]:
        warnings.append(
            f'no {" and no ".join(absent)} among the {setting.role} patients, so every macro score '
            'is over the other classes'
        )
    if store.is_phantom:
        warnings.insert(0, 'these are phantom figures and say nothing of patients')
    done = sum(len(seeds) for seeds in tests.values())
    lines = [
        '# The comparison',
        f'Store `{setting.store.name}` in `{setting.store.parent.name}`, split '
        f'`{setting.split}`, {setting.role} patients, scale `{setting.scale}`; {date.today()}, '
        f'{platform.processor() or platform.machine()}. {done} of {len(runs)} runs are done, all '
        f'of one code (`{runs[0].code[:12]}`) and one data set (`{runs[0].data[:12]}`). '
        "The paper's values are of its own private data: context, not a target.",
        f'Scored are {scored["patients"]} patients with {scored["slices"]} slices ('
        + ', '.join(f'{count} {name}' for name, count in scored['slices_by_class'].items())
        + f'), of them {scored["infected_patients"]} patients and {scored["infected_slices"]} '
        'slices with infection: an interval says what other patients of the kind of these would '
        'have changed, and no more.',
        *(f'**Beware:** {text}.' for text in warnings),
    ]
    return '\n\n'.join(lines)


def _table(table: Table, figures: dict[str, dict[str, Figure]], sizes: dict[str, int]) -> str:
    has_paper = {metric for name in table.rows for metric in SYSTEMS[name].paper} & set(
        table.columns.values()
    )
    header = ['system', 'million parameters', 'seeds']
    for title, metric in table.columns.items():
        header += [f'{title}, paper', title] if metric in has_paper else [title]
    lines = []
    for name in table.rows:
        mine = figures.get(name, {})
        seeds = len(next(iter(mine.values())).seeds) if mine else 0
        size = f'{sizes[name] / 1e6:.2f}' if name in sizes else ''
        cells = [SYSTEMS[name].title, size, str(seeds) if seeds else 'not run']
        for metric in table.columns.values():
            if metric in has_paper:
                value = SYSTEMS[name].paper.get(metric)
                cells.append('' if value is None else f'{value:.4f}')
            cells.append(_cell(mine.get(metric)) if seeds else 'not run')
        lines.append(cells)
    return f'## {table.title}\n\n{_markdown(header, lines)}'


def _against(ours: str, against: dict[str, dict[str, dict]]) -> str:
    if not against:
        return ''
    title = SYSTEMS[ours].title
    header = [f'{title} less', 'seeds', *AGAINST]
    lines = [
        [
            SYSTEMS[name].title,
            str(len(next(iter(its.values()))['a'])) if its else '',
            *(_difference(its.get(metric)) for metric in AGAINST),
        ]
        for name, its in against.items()
    ]
    return (
        f'## Differences, patient by patient: {title}\n\n{_markdown(header, lines)}\n\n'
        'Mean over the seeds that both have, 95 % interval over patients drawn with replacement, '
        'the same for both.'
    )


def _definitions() -> str:
    metrics = {metric: title for table in TABLES for title, metric in table.columns.items()}
    lines = [f'- {title} (`{metric}`): {definition(metric)}.' for metric, title in metrics.items()]
    return '\n'.join(['## What the columns mean', '', *lines, f'- Interval: {INTERVAL}'])


def _runs(runs: Sequence[Run]) -> str:
    setting = runs[0].setting
    shown = ' '.join(f'{name}={shlex.quote(text)}' for name, text in setting.variables.items())
    lines = [f'## Commands\n\nWith `{shown}`; a hash says config, data, code and seed.\n']
    for run in runs:
        state = run.identity[:12] if run.is_done() else 'not run'
        both = ' && '.join(shlex.join(_relative(words, setting)) for words in run.commands())
        lines.append(f'- {run.name}, seed {run.seed} ({state}): `{both}`')
    return '\n'.join(lines)


def _as_json(
    setting: Setting,
    runs: Sequence[Run],
    figures: dict[str, dict[str, Figure]],
    against: dict[str, dict[str, dict[str, dict]]],
) -> dict:
    phantom = SliceStore(setting.store).is_phantom
    return dict(
        dataset='phantom' if phantom else setting.store.parent.name,
        scale=setting.scale,
        split=setting.split,
        role=setting.role,
        data_sha256=runs[0].data,
        code_sha256=runs[0].code,
        systems={
            name: {
                metric: dict(mean=f.mean, low=f.low, high=f.high, seeds=f.seeds)
                for metric, f in its.items()
            }
            for name, its in figures.items()
        },
        differences=against,
        runs=[
            dict(system=run.name, seed=run.seed, identity=run.identity, done=run.is_done())
            for run in runs
        ],
    )


def _relative(command: Sequence[str], setting: Setting) -> list[str]:
    """A command as one types it in the project's folder."""
    prefix = f'{setting.project}/'
    return ['python', *(part.removeprefix(prefix) for part in command[1:])]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return 'n/a'
    if figure.low is None or figure.high is None:
        return f'{figure.mean:.3f} (n/a)'
    digits = 3 if figure.high <= 1 else 1
    return f'{figure.mean:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})'


def _difference(found: dict | None) -> str:
    if found is None:
        return 'n/a'
    if found['low'] is None:
        return f'{found["difference"]:+.3f} (n/a)'
    return f'{found["difference"]:+.3f} ({found["low"]:+.3f} to {found["high"]:+.3f})'


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ['---'] * len(header), *lines]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)
