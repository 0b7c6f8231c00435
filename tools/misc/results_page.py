r"""Write docs/results/index.md from reports of tools/reproduce.py; no figure is typed by hand.

python tools/misc/results_page.py report_phantom/report.json report_real/report.json \
    report_folds/label_efficiency.json

All reports must be of one commit and of one code.
"""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.evaluation.metric_definitions import SEEDED_INTERVAL, definition
from xaicovid_mm.reproduction.columns import (
    ACC,
    AUC,
    DICE,
    DICE_INFECTED_PATIENT,
    DICE_INFECTED_SLICE,
    HD95,
    HIT,
    IOU,
    LEFT_EMPTY,
    NSD,
    SENS,
    SPEC,
)
from xaicovid_mm.reproduction.markdown import difference_cell, markdown_table, score_cell
from xaicovid_mm.reproduction.systems import SYSTEMS
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import read_json, write_text
from xaicovid_mm.utils.terminal import Console

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / 'docs/results/index.md'
REMEDY = 'give the report.json of tools/reproduce.py'
WIDTH = 112
TABLES: dict[str, dict[str, str]] = {
    'Class of a slice': {
        'AUC': AUC,
        'accuracy': ACC,
        'sensitivity': SENS,
        'specificity': SPEC,
    },
    'Infection': {
        'Dice, infected slices': DICE_INFECTED_SLICE,
        'Dice, infected patients': DICE_INFECTED_PATIENT,
        'Dice, slice mean': DICE,
        'healthy slices left empty': LEFT_EMPTY,
    },
    'Infection, further scores': {
        'IoU, slice mean': IOU,
        'NSD 3 mm': NSD,
        'HD95 mm': HD95,
        'slices hit': HIT,
    },
}
"""Title of a table to its columns, by metric. System and size come in front: six columns."""

DIFFERENCES = {'Dice, infected slices': DICE_INFECTED_SLICE, 'Dice, slice mean': DICE, 'AUC': AUC}
"""Columns of a table of differences."""


TITLES = {'phantom': 'Phantom figures', 'benchmark': 'Real CT (benchmark)'}
ROLES = {'val': 'validation patients', 'test': 'test patients'}
BEWARE = {
    'phantom': 'The phantom is a synthetic chest. Its figures say nothing about patients.',
    'benchmark': 'Class is confounded with source in these data: a class score measures the look '
    'of a source as well as the disease.',
}
"""What a reader must know of a data set, by its name."""

ORACLE = (
    'The oracle learns the true masks of all unlabelled slices: an upper bound, and no method. '
)


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        reports = [read_json(path, REMEDY) for path in args.reports]
        write_text(args.out, page_of_reports(reports, args.out.parent, args.title))
    Console().print(str(args.out))


def page_of_reports(reports: Sequence[dict[str, Any]], folder: Path, title: str = 'Results') -> str:
    """The page of the current figures.

    Args:
        reports: Contents of report.json and label_efficiency.json, in any order.
        folder: Of the page; the curves of label efficiency are drawn beside it.
        title: Of the page.

    Raises:
        ValueError: If a report says no commit, has no finished system, or if two differ in their
            commit or their code.
    """
    for report in reports:
        if not report.get('commit'):
            raise ValueError(
                f'the report on {report.get("dataset")} says no commit: run tools/reproduce.py in '
                'a checkout without changes'
            )
        if not any(part['systems'] for part in report.get('budgets', [report])):
            raise ValueError(f'the report on {report["dataset"]} has no finished system')
    for key, what in (('commit', 'commits'), ('code_sha256', 'codes')):
        if len(found := sorted({report[key] for report in reports})) > 1:
            raise ValueError(
                f'reports of different {what}: {", ".join(name[:12] for name in found)}. Run '
                'tools/reproduce.py again for all of them'
            )
    commit, code = reports[0]['commit'], reports[0]['code_sha256']
    head = [
        f'All figures on this page are of commit `{commit[:12]}` (code `{code[:12]}`).',
        'Each cell is the mean over the seeds, with its 95 % interval over patients and seeds in '
        'brackets.',
        _ARCHIVE,
    ]
    curves = [_of_budgets(report, folder) for report in reports if 'budgets' in report]
    tables = [_of_report(report) for report in reports if 'budgets' not in report]
    return _page(title, head, [*curves, *tables])


_ARCHIVE = (
    'Read an interval before a mean. Figures of earlier networks and what was tried on the way '
    'are in the [archive](archive.md). What the tools cost is in '
    '[checks and cost](checks-and-cost.md).'
)


def _of_budgets(report: dict[str, Any], folder: Path) -> Iterator[str]:
    """The section of a report on label efficiency."""
    from xaicovid_mm.reproduction.budget_report import budget_sections, draw_curve

    dataset = report['dataset']
    has_oracle = any('oracle' in part['systems'] for part in report['budgets'])
    title = f'Label efficiency: {_title(dataset, report["role"])}'
    yield f'## {title}'
    yield _wrapped(
        f'Scale `{report["scale"]}`, recipe `{report["recipe"]}`; {report["done"]} of '
        f'{report["planned"]} runs. Annotated slices are those with infection. '
        f'{ORACLE if has_oracle else ""}{BEWARE.get(dataset, "")}'
    )
    curve = draw_curve(report, folder / f'label_efficiency_{dataset}.png')
    for section in budget_sections(report, curve, '###'):
        heading, _, rest = section.partition('\n')
        yield f'{heading}, {dataset}\n{rest}'


def _of_report(report: dict[str, Any]) -> Iterator[str]:
    """The section of a report on one split."""
    scored, role, systems = report['scored'], report['role'], report['systems']
    title = _title(report['dataset'], role)
    classes = ', '.join(f'{count} {name}' for name, count in scored['slices_by_class'].items())
    seeds = {len(f['seeds']) for its in systems.values() for f in its.values()}
    yield f'## {title}'
    yield _wrapped(
        f'Scale `{report["scale"]}`, split `{report["split"]}`, '
        f'seeds per system: {" or ".join(map(str, sorted(seeds)))}. '
        f'{scored["patients"]} {role} patients with {scored["slices"]} slices ({classes}), of them '
        f'{scored["infected_patients"]} patients and {scored["infected_slices"]} slices with '
        f'infection. Data `{report["data_sha256"][:12]}`. {BEWARE.get(report["dataset"], "")}'
    )
    for table, columns in TABLES.items():
        given = {metric for its in systems.values() for metric in its}
        shown = {name: metric for name, metric in columns.items() if metric in given}
        rows = [
            [
                SYSTEMS[name].title,
                f'{report["parameters"][name] / 1e6:.2f}',
                *(_cell(systems[name].get(metric)) for metric in shown.values()),
            ]
            for name in SYSTEMS
            if systems.get(name, {}).keys() & set(shown.values())
        ]
        if rows:
            yield f'### {table}: {title}'
            yield markdown_table(['system', 'million parameters', *shown], rows)
    for ours, others in report['differences'].items():
        if others:
            yield f'### {SYSTEMS[ours].title}, less each other system: {title}'
            yield _differences(others)


def _differences(others: dict[str, dict[str, Any]]) -> str:
    rows = [
        [SYSTEMS[name].title, *(_difference(its.get(metric)) for metric in DIFFERENCES.values())]
        for name, its in others.items()
    ]
    return markdown_table(['system', *DIFFERENCES], rows)


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return 'n/a'
    return score_cell(figure['mean'], figure['low'], figure['high'], figure.get('patients'))


def _difference(found: dict[str, Any] | None) -> str:
    if found is None:
        return 'n/a'
    return difference_cell(found['difference'], found['low'], found['high'], found.get('p_value'))


def _title(dataset: str, role: str) -> str:
    return f'{TITLES.get(dataset, dataset)}, {ROLES[role]}'


def _page(title: str, head: Sequence[str], sections: Sequence[Iterator[str]]) -> str:
    columns = {metric: title for table in TABLES.values() for title, metric in table.items()}
    parts = [
        f'# {title}',
        '<!-- Made by tools/misc/results_page.py. Do not edit by hand. -->',
        *map(_wrapped, head),
        *(part for section in sections for part in section),
        '## What the columns mean',
        '\n'.join(
            map(
                _wrapped,
                [
                    *(f'- **{title}** (`{m}`): {definition(m)}.' for m, title in columns.items()),
                    f'- Interval: {SEEDED_INTERVAL}',
                ],
            )
        ),
    ]
    return '\n\n'.join(parts) + '\n'


def _wrapped(text: str) -> str:
    rest = '  ' if text.startswith('- ') else ''
    return textwrap.fill(text, WIDTH, subsequent_indent=rest, break_on_hyphens=False)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('reports', nargs='+', type=Path, help='of tools/reproduce.py')
    parser.add_argument('--out', type=Path, default=PAGE)
    parser.add_argument('--title', default='Results', help='of the page')
    return parser


if __name__ == '__main__':
    main()
