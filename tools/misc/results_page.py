r"""Write docs/results/index.md from reports of tools/reproduce.py; no figure is typed by hand.

python tools/misc/results_page.py report_phantom/report.json report_real/report.json \
    report_folds/label_efficiency.json
python tools/misc/results_page.py --metafiles configs/comparison/metafile.yml \
    configs/ablation/metafile.yml --commits phantom=65597cf benchmark=9192377

All reports must be of one commit and of one code. Metafiles hold means without intervals: the page
made of them says so, and of which commits they are.
"""

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.evaluation.metric_definitions import SEEDED_INTERVAL, definition
from xaicovid_mm.reproduction.columns import (
    ACC,
    AUC,
    DICE,
    HD95,
    HIT,
    INFECTED,
    IOU,
    LEFT_EMPTY,
    NSD,
    PATIENT,
    SENS,
    SPEC,
)
from xaicovid_mm.reproduction.markdown import difference_cell, markdown_table, score_cell
from xaicovid_mm.reproduction.model_index import TASKS
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
        'Dice, infected slices': INFECTED,
        'Dice, infected patients': PATIENT,
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

DIFFERENCES = {'Dice, infected slices': INFECTED, 'Dice, slice mean': DICE, 'AUC': AUC}
"""Columns of a table of differences."""


TITLES = {'phantom': 'Phantom figures', 'benchmark': 'Real CT (benchmark)'}
ROLES = {'val': 'validation patients', 'test': 'test patients'}
BEWARE = {
    'phantom': 'The phantom is a synthetic chest. Its figures say nothing about patients.',
    'benchmark': 'Class is confounded with source in these data: a class score measures the look '
    'of a source as well as the disease.',
}
"""What a reader must know of a data set, by its name."""


@dataclass
class Figures:
    """What a section of the page shows.

    Attributes:
        title: Of the section.
        notes: Sentences above the tables.
        cells: System to metric to text.
        sizes: System to its parameters.
        differences: Our system to other systems to metric to text.
    """

    title: str
    notes: list[str]
    cells: dict[str, dict[str, str]]
    sizes: dict[str, int]
    differences: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        if bool(args.reports) == bool(args.metafiles):
            raise ValueError('give either reports, or --metafiles with --commits')
        if args.reports:
            reports = [read_json(path, REMEDY) for path in args.reports]
            text = page_of_reports(reports, args.out.parent)
        else:
            models = [m for path in args.metafiles for m in yaml.safe_load(path.open())['Models']]
            text = page_of_metafiles(models, dict(pair.split('=') for pair in args.commits))
        write_text(args.out, text)
    Console().print(str(args.out))


def page_of_reports(reports: Sequence[dict[str, Any]], folder: Path) -> str:
    """The page of the current figures.

    Args:
        reports: Contents of report.json and label_efficiency.json, in any order.
        folder: Of the page; the curves of label efficiency are drawn beside it.

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
    tables = [_section(_of_report(report)) for report in reports if 'budgets' not in report]
    return _page(head, [*curves, *tables], [f'- Interval: {SEEDED_INTERVAL}'])


def page_of_metafiles(models: Sequence[dict[str, Any]], commits: dict[str, str]) -> str:
    """The page of figures that stand in metafiles: means alone, of the commits given.

    Args:
        models: Entries of the metafiles.
        commits: Data set to the commit that its figures were measured at.

    Raises:
        ValueError: If a data set has no commit.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for model in models:
        groups.setdefault(model['Metadata']['Training Data'], []).append(model)
    if missing := sorted(set(groups) - set(commits)):
        raise ValueError(f'no commit for {", ".join(missing)}: add --commits {missing[0]}=COMMIT')
    head = [
        '**Measured before the reorganisation of the code.** The code has moved since, so these '
        'figures count as those of earlier code until they are measured again.',
        'The figures come from the metafiles of the configs, which hold means over the seeds '
        'without intervals. The [archive](archive.md) has the intervals, the patients and what '
        'follows from them.',
    ]
    figures = [_of_metafiles(*group, commits[group[0]]) for group in groups.items()]
    return _page(head, map(_section, figures), [])


_ARCHIVE = (
    'Read an interval before a mean. Figures of earlier networks and what was tried on the way '
    'are in the [archive](archive.md). What the tools cost is in '
    '[checks and cost](checks-and-cost.md).'
)


def _of_budgets(report: dict[str, Any], folder: Path) -> Iterator[str]:
    """The section of a report on label efficiency."""
    from xaicovid_mm.reproduction.budget_report import budget_sections, draw_curve

    dataset = report['dataset']
    title = f'Label efficiency: {_title(dataset, report["role"])}'
    yield f'## {title}'
    yield _wrapped(
        f'Scale `{report["scale"]}`, recipe `{report["recipe"]}`; {report["done"]} of '
        f'{report["planned"]} runs. Annotated slices are those with infection. The oracle learns '
        f'the true masks of all unlabelled slices: an upper bound, and no method. '
        f'{BEWARE.get(dataset, "")}'
    )
    curve = draw_curve(report, folder / f'label_efficiency_{dataset}.png')
    for section in budget_sections(report, curve, '###'):
        heading, _, rest = section.partition('\n')
        yield f'{heading}, {dataset}\n{rest}'


def _of_report(report: dict[str, Any]) -> Figures:
    scored, role = report['scored'], report['role']
    classes = ', '.join(f'{count} {name}' for name, count in scored['slices_by_class'].items())
    seeds = {len(f['seeds']) for its in report['systems'].values() for f in its.values()}
    notes = [
        f'Scale `{report["scale"]}`, split `{report["split"]}`, '
        f'seeds per system: {" or ".join(map(str, sorted(seeds)))}.',
        f'{scored["patients"]} {role} patients with {scored["slices"]} slices ({classes}), of them '
        f'{scored["infected_patients"]} patients and {scored["infected_slices"]} slices with '
        'infection.',
        f'Data `{report["data_sha256"][:12]}`.',
        BEWARE.get(report['dataset'], ''),
    ]
    return Figures(
        _title(report['dataset'], role),
        notes,
        {name: {m: _cell(f) for m, f in its.items()} for name, its in report['systems'].items()},
        report['parameters'],
        {
            ours: {
                name: {m: _difference(its[m]) for m in DIFFERENCES.values() if m in its}
                for name, its in others.items()
            }
            for ours, others in report['differences'].items()
        },
    )


def _of_metafiles(dataset: str, models: Sequence[dict[str, Any]], commit: str) -> Figures:
    about = models[0]['Metadata']
    role = models[0]['Results'][0]['Dataset'].removeprefix(f'{dataset}, ').split()[0]
    end = f'_{about["Scale"]}_{dataset}_{role}'
    prefixes = {task: prefix for prefix, task in TASKS.items()}
    cells = {
        model['Name'].removesuffix(end): {
            f'{prefixes[result["Task"]]}/{name}': f'{value:.4f}' if value <= 1 else f'{value:.1f}'
            for result in model['Results']
            for name, value in result['Metrics'].items()
        }
        for model in models
    }
    sizes = {m['Name'].removesuffix(end): m['Metadata']['Parameters'] for m in models}
    notes = [
        f'Commit `{commit}`, scale `{about["Scale"]}`, seeds per system: {about["Seeds"]}, '
        f'code `{about["Code sha256"][:12]}`, data `{about["Data sha256"][:12]}`.',
        BEWARE.get(dataset, ''),
    ]
    return Figures(_title(dataset, role), notes, cells, sizes)


def _title(dataset: str, role: str) -> str:
    return f'{TITLES.get(dataset, dataset)}, {ROLES[role]}'


def _page(head: Iterable[str], sections: Iterable[Iterable[str]], end: Iterable[str]) -> str:
    parts = [
        '# Results',
        '<!-- Made by tools/misc/results_page.py. Do not edit by hand. -->',
        *map(_wrapped, head),
    ]
    for section in sections:
        parts += section
    columns = {metric: title for table in TABLES.values() for title, metric in table.items()}
    lines = [f'- **{title}** (`{m}`): {definition(m)}.' for m, title in columns.items()]
    parts += ['## What the columns mean', '\n'.join(map(_wrapped, [*lines, *end]))]
    return '\n\n'.join(parts) + '\n'


def _section(figures: Figures) -> Iterator[str]:
    yield f'## {figures.title}'
    yield _wrapped(' '.join(figures.notes))
    for title, columns in TABLES.items():
        given = {metric for its in figures.cells.values() for metric in its}
        shown = {name: metric for name, metric in columns.items() if metric in given}
        rows = [
            [
                SYSTEMS[name].title,
                f'{figures.sizes[name] / 1e6:.2f}',
                *(its.get(metric, 'n/a') for metric in shown.values()),
            ]
            for name, its in sorted(figures.cells.items(), key=lambda item: _place(item[0]))
            if its.keys() & set(shown.values())
        ]
        if rows:
            yield f'### {title}: {figures.title}'
            yield markdown_table(['system', 'million parameters', *shown], rows)
    for ours, others in figures.differences.items():
        if others:
            yield f'### {SYSTEMS[ours].title}, less each other system: {figures.title}'
            yield _differences(others)


def _differences(others: dict[str, dict[str, str]]) -> str:
    rows = [
        [SYSTEMS[name].title, *(its.get(metric, 'n/a') for metric in DIFFERENCES.values())]
        for name, its in others.items()
    ]
    return markdown_table(['system', *DIFFERENCES], rows)


def _wrapped(text: str) -> str:
    rest = '  ' if text.startswith('- ') else ''
    return textwrap.fill(text, WIDTH, subsequent_indent=rest, break_on_hyphens=False)


def _place(name: str) -> int:
    return list(SYSTEMS).index(name)


def _cell(figure: dict[str, Any]) -> str:
    return score_cell(figure['mean'], figure['low'], figure['high'], figure.get('patients'))


def _difference(found: dict[str, Any]) -> str:
    return difference_cell(found['difference'], found['low'], found['high'], found.get('p_value'))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('reports', nargs='*', type=Path, help='of tools/reproduce.py')
    parser.add_argument('--metafiles', nargs='+', type=Path, default=[], help='of the configs')
    parser.add_argument(
        '--commits', nargs='+', default=[], metavar='DATASET=COMMIT', help='of the metafiles'
    )
    parser.add_argument('--out', type=Path, default=PAGE)
    return parser


if __name__ == '__main__':
    main()
