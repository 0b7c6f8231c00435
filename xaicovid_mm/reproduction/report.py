"""The report of the comparison: the paper's tables, figures, and the commands to repeat it."""

import json
import platform
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from ..classes import CLASSES
from ..data_prep.store.reader import SliceStore
from ..data_prep.summary import store_tables
from ..evaluation.metric_definitions import P_VALUE, SEEDED_INTERVAL, definition
from ..utils.files import write_text
from .columns import AUC, DICE, DICE_INFECTED_SLICE
from .cost import parameters_of
from .fingerprint import commit_of
from .markdown import difference_cell, markdown_table, score_cell
from .paper_tables import PAPER
from .runs import Run, Setting
from .scores import SystemRows, SystemScore, differences, system_scores
from .systems import SYSTEMS, TABLES, Table

OURS = ('ours_semi', 'bn_semi')
"""Systems that are compared with all others."""
DIFFERENCE_METRICS = (DICE, DICE_INFECTED_SLICE, AUC)
"""Metrics of the tables of differences."""


def write_comparison_report(
    out: Path,
    *,
    setting: Setting,
    runs: Sequence[Run],
    tests: SystemRows,
    figures: dict[str, str],
) -> Path:
    """Write ``report.md`` and ``report.json``.

    Args:
        out: Folder of the report.
        setting: What all runs share.
        runs: All runs of the comparison, done or not.
        tests: Test rows of the runs that are done.
        figures: File name of each figure in the folder to its caption.

    Returns:
        The Markdown file.
    """
    scores = {name: system_scores(seeds) for name, seeds in tests.items()}
    names = {run.name for run in runs}
    sizes = {run.name: parameters_of(run) for run in runs if run.name in tests}
    against = {ours: differences(tests, ours) for ours in OURS}
    tables = [_table(table, scores, sizes) for table in TABLES if names & set(table.rows)]
    scored = _scored_counts(SliceStore(setting.store), setting)
    texts = [
        _head(setting, runs, tests, scored),
        *tables,
        *(_difference_table(ours, others) for ours, others in against.items()),
        *(f'## {title}\n\n![{title}]({name})' for name, title in figures.items()),
        _definitions(),
        run_list(runs),
    ]
    write_text(out / 'report.md', '\n\n'.join(filter(None, texts)) + '\n')
    content = _as_json(setting, runs, scores, against) | dict(scored=scored, parameters=sizes)
    write_text(out / 'report.json', json.dumps(content, indent=1))
    return out / 'report.md'


def _scored_counts(store: SliceStore, setting: Setting) -> dict[str, int | dict[str, int]]:
    """Count the patients and slices that are scored, and those with infection."""
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


def _head(setting: Setting, runs: Sequence[Run], tests: SystemRows, scored: dict) -> str:
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


def _table(table: Table, scores: dict[str, dict[str, SystemScore]], sizes: dict[str, int]) -> str:
    paper = PAPER.get(table.paper, {})
    has_paper = {metric for values in paper.values() for metric in values}
    header = ['system', 'million parameters', 'seeds']
    for title, metric in table.columns.items():
        header += [f'{title}, paper', title] if metric in has_paper else [title]
    lines = []
    for name in table.rows:
        system = scores.get(name, {})
        seeds = len(next(iter(system.values())).seeds) if system else 0
        size = f'{sizes[name] / 1e6:.2f}' if name in sizes else ''
        cells = [SYSTEMS[name].title, size, str(seeds) if seeds else 'not run']
        for metric in table.columns.values():
            if metric in has_paper:
                value = paper.get(name, {}).get(metric)
                cells.append('' if value is None else f'{value:.4f}')
            cells.append(_cell(system.get(metric)) if seeds else 'not run')
        lines.append(cells)
    return f'## {table.title}\n\n{markdown_table(header, lines)}'


def _difference_table(ours: str, others: dict[str, dict[str, dict]]) -> str:
    if not others:
        return ''
    title = SYSTEMS[ours].title
    header = [f'{title} less', 'seeds', *DIFFERENCE_METRICS]
    lines = [
        [
            SYSTEMS[name].title,
            str(len(next(iter(scores.values()))['a'])) if scores else '',
            *(_difference_cell(scores.get(metric)) for metric in DIFFERENCE_METRICS),
        ]
        for name, scores in others.items()
    ]
    return (
        f'## Differences, patient by patient: {title}\n\n{markdown_table(header, lines)}\n\n'
        'Mean over the seeds that both have, 95 % interval over patients and seeds, the same for '
        f'both, and p. p: {P_VALUE}.'
    )


def _definitions() -> str:
    metrics = {metric: title for table in TABLES for title, metric in table.columns.items()}
    lines = [f'- {title} (`{metric}`): {definition(metric)}.' for metric, title in metrics.items()]
    return '\n'.join(['## What the columns mean', '', *lines, f'- Interval: {SEEDED_INTERVAL}'])


def run_list(runs: Sequence[Run]) -> str:
    """Return a section with the state and the commands of runs that share a setting."""
    setting = runs[0].setting
    variables = ' '.join(f'{name}={shlex.quote(text)}' for name, text in setting.variables.items())
    title = f'## Commands, split {setting.training_split}'
    lines = [f'{title}\n\nWith `{variables}`; a hash says config, data, code and seed.\n']
    for run in runs:
        state = run.fingerprint[:12] if run.is_done() else 'not run'
        both = ' && '.join(shlex.join(_relative(words, setting)) for words in run.commands())
        lines.append(f'- {run.name}, seed {run.seed} ({state}): `{both}`')
    return '\n'.join(lines)


def _as_json(
    setting: Setting,
    runs: Sequence[Run],
    scores: dict[str, dict[str, SystemScore]],
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
        commit=commit_of(setting.project),
        systems={
            name: {metric: vars(s) | dict(mean=s.mean) for metric, s in system.items()}
            for name, system in scores.items()
        },
        differences=against,
        runs=[
            dict(system=run.name, seed=run.seed, identity=run.fingerprint, done=run.is_done())
            for run in runs
        ],
    )


def _relative(command: Sequence[str], setting: Setting) -> list[str]:
    """Return a command as it is typed in the folder of the project."""
    prefix = f'{setting.project}/'
    return ['python', *(part.removeprefix(prefix) for part in command[1:])]


def _cell(score: SystemScore | None) -> str:
    return 'n/a' if score is None else score_cell(score.mean, score.low, score.high, score.patients)


def _difference_cell(score: dict | None) -> str:
    if score is None:
        return 'n/a'
    return difference_cell(score['difference'], score['low'], score['high'], score['p_value'])
