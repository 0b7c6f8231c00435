"""The report: tables in the paper's form, pictures, and all that is needed to do it again."""

import json
import platform
import shlex
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from ..data_prep.files import write_text
from ..data_prep.store import SliceStore
from ..data_prep.store_info import store_tables
from ..evaluation.definitions import INTERVAL, definition
from .budget import parameters_of
from .identity import code_sha256, data_sha256
from .runs import Run, Setting
from .scores import Figure, Tests, differences, figures_of
from .systems import DICE, INFECTED, SYSTEMS, TABLES, Table

OURS = 'ours_semi'
AGAINST = (DICE, INFECTED, 'cls/auc_macro_slice')
"""Metrics of the table of differences."""


def write_report(
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
    against = differences(tests, OURS)
    tables = [_table(table, figures, sizes) for table in TABLES if asked & set(table.rows)]
    texts = [
        _head(setting, runs, tests),
        *tables,
        _against(against),
        *(f'## {title}\n\n![{title}]({name})' for name, title in pictures.items()),
        _definitions(),
        _runs(runs),
    ]
    write_text(out / 'report.md', '\n\n'.join(filter(None, texts)) + '\n')
    content = _as_json(setting, runs, figures, sizes, against)
    write_text(out / 'report.json', json.dumps(content, indent=1))
    return out / 'report.md'


def _head(setting: Setting, runs: Sequence[Run], tests: Tests) -> str:
    store = SliceStore(setting.store)
    warnings = store_tables(store, setting.split)[1]
    if store.is_phantom:
        warnings.insert(0, 'these are phantom figures and say nothing of patients')
    done = sum(len(seeds) for seeds in tests.values())
    lines = [
        '# The comparison',
        f'Store `{setting.store.name}` in `{setting.store.parent.name}`, split '
        f'`{setting.split}`, {setting.role} patients, scale `{setting.scale}`; {date.today()}, '
        f'{platform.processor() or platform.machine()}. {done} of {len(runs)} runs are done, all '
        f'of one code (`{code_sha256()[:12]}`) and one data set '
        f'(`{data_sha256(setting.store, setting.split)[:12]}`). '
        "The paper's values are of its own private data: context, not a target.",
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


def _against(against: dict[str, dict[str, dict]]) -> str:
    if not against:
        return ''
    header = [f'{SYSTEMS[OURS].title} less', *AGAINST]
    lines = [
        [SYSTEMS[name].title, *(_difference(its.get(metric)) for metric in AGAINST)]
        for name, its in against.items()
    ]
    return (
        f'## Differences, patient by patient\n\n{_markdown(header, lines)}\n\nMean over the seeds '
        'that both have, 95 % interval over patients drawn with replacement, the same for both.'
    )


def _definitions() -> str:
    metrics = {metric: title for table in TABLES for title, metric in table.columns.items()}
    lines = [f'- {title} (`{metric}`): {definition(metric)}.' for metric, title in metrics.items()]
    return '\n'.join(['## What the columns mean', '', *lines, f'- Interval: {INTERVAL}'])


def _runs(runs: Sequence[Run]) -> str:
    setting = runs[0].setting
    shown = ' '.join(f'{name}={value}' for name, value in setting.variables.items())
    lines = [f'## Commands\n\nWith `{shown}`; a hash says config, data, code and seed.\n']
    for run in runs:
        state = run.identity[:12] if run.is_done() else 'not run'
        train = shlex.join(_relative(run.commands()[0], setting))
        lines.append(f'- {run.name}, seed {run.seed} ({state}): `{train}`')
    return '\n'.join(lines)


def _as_json(
    setting: Setting,
    runs: Sequence[Run],
    figures: dict[str, dict[str, Figure]],
    sizes: dict[str, int],
    against: dict[str, dict[str, dict]],
) -> dict:
    phantom = SliceStore(setting.store).is_phantom
    return dict(
        dataset='phantom' if phantom else setting.store.parent.name,
        scale=setting.scale,
        split=setting.split,
        role=setting.role,
        data_sha256=data_sha256(setting.store, setting.split),
        code_sha256=code_sha256(),
        systems={
            name: {
                metric: dict(mean=f.mean, low=f.low, high=f.high, seeds=f.seeds)
                for metric, f in its.items()
            }
            for name, its in figures.items()
        },
        parameters=sizes,
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
        return f'{figure.mean:.3f}'
    digits = 3 if figure.high <= 1 else 1
    return f'{figure.mean:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})'


def _difference(found: dict | None) -> str:
    if found is None:
        return 'n/a'
    if found['low'] is None:
        return f'{found["difference"]:+.3f}'
    return f'{found["difference"]:+.3f} ({found["low"]:+.3f} to {found["high"]:+.3f})'


def _markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ['---'] * len(header), *lines]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)
