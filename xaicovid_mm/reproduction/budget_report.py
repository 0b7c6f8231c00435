"""The report of label efficiency: tables by budget and part of the patients, and the curve."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ..data_prep.store.reader import SliceStore
from ..evaluation.metric_definitions import P_VALUE, SEEDED_INTERVAL, definition
from ..utils.files import write_text
from .columns import DICE, DICE_INFECTED_SLICE
from .figures import draw_label_efficiency
from .fingerprint import commit_of
from .label_efficiency import METRICS, OURS, budget_scores, finished_rows
from .markdown import difference_cell, markdown_table, score_cell
from .paper_tables import PAPER
from .report import run_list
from .runs import Run
from .systems import SYSTEMS

CURVE = 'label_efficiency.png'
"""File of the curve beside the report."""


def write_budget_report(out: Path, *, runs: Sequence[Run], choices: Sequence[str]) -> Path:
    """Write ``label_efficiency.md`` and ``.json``, and the curve where there are two budgets.

    Args:
        out: Folder of the report.
        runs: All runs, done or not; their settings differ in split and budget.
        choices: Splits on which choices were made; the others report.

    Returns:
        The Markdown file.
    """
    settings = list(dict.fromkeys(run.setting for run in runs))
    content = _content(runs, budget_scores(settings, finished_rows(runs), choices))
    columns = [f'- {title} (`{m}`): {definition(m)}.' for title, m in METRICS.items()]
    texts = [
        _head(content),
        *budget_sections(content, draw_curve(content, out / CURVE)),
        '\n'.join(
            [
                '## What the columns mean\n',
                *columns,
                f'- Interval: {SEEDED_INTERVAL}',
                f'- p: {P_VALUE}.',
            ]
        ),
        *(run_list([run for run in runs if run.setting == setting]) for setting in settings),
    ]
    write_text(out / 'label_efficiency.md', '\n\n'.join(texts) + '\n')
    write_text(out / 'label_efficiency.json', json.dumps(content, indent=1))
    return out / 'label_efficiency.md'


def draw_curve(content: dict[str, Any], path: Path) -> str | None:
    """Draw the curve of all patients, and return its file name; None if nothing is to be drawn."""
    return path.name if draw_label_efficiency(_parts(content)[0], path) else None


def budget_sections(
    content: dict[str, Any], curve: str | None, heading: str = '##'
) -> Iterator[str]:
    """Yield the sections of a report: curve, tables by budget, tables by part of the patients.

    Args:
        content: Of ``label_efficiency.json``.
        curve: File name of the curve; None if there is none.
        heading: Marks of a heading.
    """
    whole, *parts = _parts(content)
    if curve:
        title = f'Label efficiency, {whole[0]["part"]}'
        yield f'{heading} {title}\n\n![Dice by annotated slices]({curve})'
    for record in whole:
        yield f'{heading} {_budget(record)}: {_patients(record)}\n\n{_budget_table(record)}'
    for records in [whole, *parts]:
        where = f'{records[0]["part"]}, {_patients(records[0])}'
        if any(record['systems'] for record in records):
            table = _by_budget(records, 'systems', _score)
            yield f'{heading} Dice, infected slices: {where}\n\n{table}'
        if any(record['differences'] for record in records):
            table = _by_budget(records, 'differences', _difference)
            yield f'{heading} {SYSTEMS[OURS].title}, less each other: {where}\n\n{table}'


def _content(runs: Sequence[Run], records: list[dict[str, Any]]) -> dict[str, Any]:
    setting = runs[0].setting
    store = SliceStore(setting.store)
    return dict(
        dataset='phantom' if store.is_phantom else setting.store.parent.name,
        scale=setting.scale,
        recipe=setting.recipe,
        role=setting.role,
        data_sha256=sorted({run.data for run in runs}),
        code_sha256=runs[0].code,
        commit=commit_of(setting.project),
        done=sum(run.is_done() for run in runs),
        planned=len(runs),
        budgets=records,
    )


def _head(content: dict[str, Any]) -> str:
    lines = [
        '# Label efficiency',
        f'Store `{content["dataset"]}`, {content["role"]} patients, scale `{content["scale"]}`, '
        f'recipe `{content["recipe"]}`; {date.today()}. {content["done"]} of '
        f'{content["planned"]} runs are done, all of one code (`{content["code_sha256"][:12]}`). '
        'A seed of a system counts where all folds of a table are done. Annotated slices are those '
        'with infection; healthy patients of the labelled role are known to be healthy at every '
        'budget. The oracle learns the true masks of all unlabelled slices: an upper bound, and no '
        'method.',
    ]
    if content['dataset'] == 'phantom':
        lines.append('**Beware:** these are phantom figures and say nothing of patients.')
    return '\n\n'.join(lines)


def _parts(content: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The records by part, the whole first."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for record in content['budgets']:
        parts.setdefault(record['part'], []).append(record)
    return list(parts.values())


def _budget(record: dict[str, Any]) -> str:
    count = f'{record["annotated"]:.0f} annotated slices'
    return f'{count} (all)' if record['budget'] is None else count


def _patients(record: dict[str, Any]) -> str:
    return f'{record["patients"]} patients, {record["slices"]} slices with infection'


def _budget_table(record: dict[str, Any]) -> str:
    paper = (
        {name: row[DICE] for name, row in PAPER['IV'].items()} if record['budget'] is None else {}
    )
    header = ['system', *METRICS] + (["paper's Dice, slice mean"] if paper else [])
    rows = []
    for name in _ordered(record['systems']):
        its = record['systems'][name]
        cells = [_score(its[m]) if m in its else 'n/a' for m in METRICS.values()]
        context = [f'{paper[name]:.3f}' if name in paper else ''] if paper else []
        rows.append([SYSTEMS[name].title, *cells, *context])
    return markdown_table(header, rows) if rows else 'No system has all its folds yet.'


def _by_budget(
    records: Sequence[dict[str, Any]], key: str, cell: Callable[[dict[str, Any]], str]
) -> str:
    """A table of ``DICE_INFECTED_SLICE`` with a column for each budget."""
    names = _ordered({name for record in records for name in record[key]})
    found = [
        [record[key].get(name, {}).get(DICE_INFECTED_SLICE) for record in records] for name in names
    ]
    rows = [
        [SYSTEMS[name].title, *('n/a' if its is None else cell(its) for its in row)]
        for name, row in zip(names, found, strict=True)
    ]
    return markdown_table(['system', *map(_budget, records)], rows)


def _score(its: dict[str, Any]) -> str:
    return score_cell(its['mean'], its['low'], its['high'], its.get('patients'))


def _difference(its: dict[str, Any]) -> str:
    return difference_cell(its['difference'], its['low'], its['high'], its.get('p_value'))


def _ordered(names: Sequence[str] | set[str] | dict[str, Any]) -> list[str]:
    return sorted(names, key=list(SYSTEMS).index)
