"""README, docs and changelog: links lead somewhere, commands exist, figures come from reports."""

import ast
import importlib
import importlib.util
import json
import re
import runpy
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml

from xaicovid_mm.evaluation import metric_definitions
from xaicovid_mm.reproduction.columns import DICE, DICE_INFECTED_SLICE
from xaicovid_mm.reproduction.planning import plan
from xaicovid_mm.reproduction.report import write_comparison_report
from xaicovid_mm.reproduction.runs import Setting
from xaicovid_mm.reproduction.systems import SYSTEMS

HERE = Path(__file__).parents[1]
DOCS = HERE / 'docs'
ARCHIVE = DOCS / 'results/archive.md'
PAGES = [HERE / name for name in ('README.md', 'CHANGELOG.md', 'CONTRIBUTING.md')]
PAGES += sorted(DOCS.rglob('*.md'))
PARSERS = {
    'prepare': 'xaicovid_mm.cli.prepare_data.command',
    'train': 'xaicovid_mm.cli.train',
    'test': 'xaicovid_mm.cli.test',
    'publish': 'xaicovid_mm.cli.publish_model',
    'infer': 'xaicovid_mm.cli.infer',
    'reproduce': 'xaicovid_mm.cli.reproduce',
}
EXAMPLES = {'xaicovid_mm/models/losses/focal_loss.py'}
"""Files that a page tells its reader to write."""
LINK = re.compile(r'\]\(([^)\s]+)\)')
FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def name_of(path):
    return path.relative_to(HERE).as_posix()


each_page = pytest.mark.parametrize('page', PAGES, ids=name_of)


def anchors(path):
    """Anchors of the headings, as Python-Markdown makes them."""
    text = FENCE.sub('', path.read_text(encoding='utf-8'))
    found = set()
    for title in re.findall(r'^#+ (.+)$', text, re.MULTILINE):
        plain = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', title)
        plain = unicodedata.normalize('NFKD', plain).encode('ascii', 'ignore').decode()
        found.add(re.sub(r'[-\s]+', '-', re.sub(r'[^\w\s-]', '', plain).strip().lower()))
    return found


def blocks(page, *languages):
    return [body for kind, body in FENCE.findall(page.read_text('utf-8')) if kind in languages]


@each_page
def test_every_relative_link_and_anchor_leads_somewhere(page):
    for link in LINK.findall(FENCE.sub('', page.read_text(encoding='utf-8'))):
        if link.startswith(('http://', 'https://')):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@each_page
def test_lines_of_prose_are_short_and_tables_narrow(page):
    for number, line in enumerate(page.read_text(encoding='utf-8').splitlines(), start=1):
        if line.startswith('|'):
            assert len(re.split(r'(?<!\\)\|', line)) - 2 <= 6, f'{number}: {line}'
        else:
            assert len(line) < 120, f'{number}: {line}'


@each_page
def test_no_page_names_a_folder_of_one_machine(page):
    found = re.findall(r'(?<![\w./])/(?:work|tmp|home|root|opt)/\S*', page.read_text('utf-8'))
    assert not found


@pytest.mark.parametrize('page', [p for p in PAGES if p != ARCHIVE], ids=name_of)
def test_files_that_a_page_names_are_there(page):
    if page.name == 'CHANGELOG.md':
        return  # it names files that are gone
    pattern = r'(?<![\w/.])((?:tools|configs|xaicovid_mm|tests|demo)/[\w/.-]+\.(?:py|sh|ipynb))'
    for path in re.findall(pattern, page.read_text(encoding='utf-8')):
        assert (HERE / path).exists() or path in EXAMPLES, path


@pytest.mark.parametrize('page', [p for p in PAGES if p != ARCHIVE], ids=name_of)
def test_every_command_of_a_page_is_understood_by_its_parser(page, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / 'tools/analysis_tools'))
    monkeypatch.syspath_prepend(str(HERE / 'tools/dataset_converters'))
    for block in blocks(page, 'bash'):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ['xaicovid']:
                parser = importlib.import_module(PARSERS[words[1]])._parser()
                assert parser.parse_args(words[2:])
            elif words[:1] == ['python'] and words[1].startswith('tools/'):
                parser = runpy.run_path(str(HERE / words[1]))['_parser']()
                assert parser.parse_args(words[2:])


@each_page
def test_python_on_a_page_parses_and_its_imports_exist(page):
    for block in blocks(page, 'python'):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith('xaicovid_mm'):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_the_readme_fits_one_screen():
    assert len((HERE / 'README.md').read_text(encoding='utf-8').splitlines()) <= 80


def test_the_figures_of_the_readme_stand_in_the_results():
    readme = (HERE / 'README.md').read_text(encoding='utf-8').splitlines()
    pages = [DOCS / f'results/{name}.md' for name in ('index', 'rivals')]
    results = [line for page in pages for line in page.read_text(encoding='utf-8').splitlines()]
    rows = [line for line in readme if re.match(r'\| [^|]+ \| \d\.\d+ \| [+-]', line)]
    assert len(rows) > 1
    for row in rows:
        name = row.split('|')[1].strip()
        dice, *difference = re.findall(r'[+-]?\d\.\d+', row)
        of_system = [line for line in results if line.lower().startswith(f'| {name.lower()} |')]
        assert any(f'| {dice} (' in line for line in of_system), dice
        low, high = difference[1:]
        shown = f'{difference[0]} ({low} to {high})'
        assert any(shown in line for line in of_system), shown


def test_every_quality_issue_of_the_code_is_on_its_page():
    text = (DOCS / 'reference/quality-issues.md').read_text(encoding='utf-8')
    codes = issue_codes()
    assert len(codes) > 25
    assert not [code for code in codes if f'`{code}`' not in text]


def issue_codes():
    """Codes written in the code: the first argument of QualityIssue, _finding and the like."""
    folder = HERE / 'xaicovid_mm/data_prep'
    codes = set()
    for path in [*sorted((folder / 'quality').glob('*.py')), folder / 'check/case.py']:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and getattr(node.func, 'id', '') in (
                'QualityIssue',
                '_finding',
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    codes.add(first.value)
            if isinstance(node, ast.FunctionDef) and node.name == '_cause':
                codes |= causes(node)
    return codes | {'other grid', 'one lung', 'no lung', 'area jumps'}


def causes(function):
    """Codes of _cause, in its tuples: (code, cause, remedy), or code, cause = ..."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            names = [getattr(name, 'id', '') for name in node.targets[0].elts]
            if 'code' in names:
                found.add(node.value.elts[names.index('code')].value)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            if isinstance(node.value.elts[0], ast.Constant):
                found.add(node.value.elts[0].value)
    return found


def test_every_average_and_share_of_the_metrics_is_on_their_page():
    text = (DOCS / 'reference/metrics.md').read_text(encoding='utf-8')
    names = [*metric_definitions._AVERAGES, *metric_definitions._WHOLE]
    missing = [name for name in names if name not in text]
    assert not missing


def test_the_changelog_keeps_its_form():
    text = (HERE / 'CHANGELOG.md').read_text(encoding='utf-8')
    assert re.findall(r'^## (.+)$', text, re.MULTILINE)[:1] == ['[Unreleased]']
    kinds = set(re.findall(r'^### (.+)$', text, re.MULTILINE))
    assert {'Added', 'Changed', 'Removed', 'Fixed', 'Config keys that changed'} <= kinds


def test_modules_that_the_changelog_calls_new_are_there():
    text = (HERE / 'CHANGELOG.md').read_text(encoding='utf-8')
    section = text.split('### Renamed modules')[1].split('###')[0]
    rows = re.findall(r'^\| `.+\| (`.+) \|$', section, re.MULTILINE)
    assert len(rows) > 15
    for row in rows:
        package = ''
        for name in re.findall(r'`([\w.]+)`', row):
            if not name.startswith('.'):
                package = name.rpartition('.')[0]
            full = f'xaicovid_mm.{package}{name}' if name.startswith('.') else f'xaicovid_mm.{name}'
            assert importlib.util.find_spec(full), full


@pytest.fixture(scope='module')
def report(tiny_store, tmp_path_factory):
    """What tools/reproduce.py writes for two systems; the rows of their tests are made up."""
    root = tmp_path_factory.mktemp('report')
    setting = Setting(
        scale='quick',
        store=tiny_store,
        split='default',
        role='test',
        root=root / 'runs',
        project=HERE,
    )
    runs = plan({name: SYSTEMS[name] for name in ('ours_semi', 'ours_sup')}, [0], [setting])
    tests = {
        'ours_semi': {0: dict(seg=rows(8, 6, 7, 9, 5, 8), cls=[])},
        'ours_sup': {0: dict(seg=rows(7, 2, 7, 6, 4, 6), cls=[])},
    }
    write_comparison_report(root, setting=setting, runs=runs, tests=tests, figures={})
    return json.loads((root / 'report.json').read_text(encoding='utf-8'))


def rows(*tps):
    return [
        dict(
            sample_id=f'p{k}/0', case=f'p{k}', patient=f'p{k}', site='s', fp='0', nsd='',
            hd95_mm='', tp=str(tp), fn=str(10 - tp),
        )
        for k, tp in enumerate(tps)
    ]  # fmt: skip


@pytest.fixture(scope='module')
def write_page():
    return runpy.run_path(str(HERE / 'tools/misc/results_page.py'))['main']


def saved(folder, *reports):
    paths = [folder / f'{number}.json' for number in range(len(reports))]
    for path, content in zip(paths, reports, strict=True):
        path.write_text(json.dumps(content), encoding='utf-8')
    return [str(path) for path in paths]


def test_the_page_of_results_holds_the_figures_of_its_reports(report, write_page, tmp_path):
    paths = saved(tmp_path, report | dict(commit='a' * 40), report | dict(commit='a' * 40))
    write_page([*paths, '--out', str(tmp_path / 'index.md'), '--title', 'All slices'])
    text = (tmp_path / 'index.md').read_text(encoding='utf-8')
    assert text.startswith('# All slices\n')
    assert f'of commit `{"a" * 12}`' in text
    for name in ('ours_semi', 'ours_sup'):
        for metric in (DICE, DICE_INFECTED_SLICE):
            figure = report['systems'][name][metric]
            cell = f'{figure["mean"]:.3f} ({figure["low"]:.3f} to {figure["high"]:.3f})'
            assert cell in text
    found = report['differences']['ours_semi']['ours_sup'][DICE_INFECTED_SLICE]
    assert f'{found["difference"]:+.3f} ({found["low"]:+.3f} to {found["high"]:+.3f})' in text
    assert f'{report["scored"]["patients"]} test patients with' in ' '.join(text.split())


def test_the_page_of_results_shows_label_efficiency_with_its_curve(report, write_page, tmp_path):
    def score(mean):
        return {
            metric: dict(mean=mean, low=mean - 0.1, high=mean + 0.1)
            for metric in (DICE, DICE_INFECTED_SLICE)
        }

    budgets = [
        dict(
            part='all folds', budget=budget, annotated=annotated, patients=10, slices=39,
            systems=dict(ours_semi=score(0.5), unet=score(0.3)),
            differences=dict(unet={DICE_INFECTED_SLICE: dict(difference=0.2, low=0.1, high=0.3)}),
        )
        for budget, annotated in ((8, 8.0), (None, 170.4))
    ]  # fmt: skip
    shared = dict(commit='a' * 40, code_sha256=report['code_sha256'])
    about = dict(dataset='benchmark', role='val', scale='real', recipe='recommended')
    content = shared | about | dict(done=3, planned=4, budgets=budgets)
    page = tmp_path / 'index.md'
    write_page([*saved(tmp_path, content, report | shared), '--out', str(page)])
    text = page.read_text(encoding='utf-8')
    assert '![Dice by annotated slices](label_efficiency_benchmark.png)' in text
    assert (tmp_path / 'label_efficiency_benchmark.png').stat().st_size > 5000
    assert '| U-Net | +0.200 (+0.100 to +0.300) | +0.200 (+0.100 to +0.300) |' in text
    assert '170 annotated slices (all): 10 patients, 39 slices with infection' in text
    test_lines_of_prose_are_short_and_tables_narrow(page)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ((dict(), dict(commit='b')), 'says no commit'),
        ((dict(commit=None), dict(commit='b')), 'says no commit'),
        ((dict(commit='a'), dict(commit='b')), 'different commits: a, b'),
        ((dict(commit='a'), dict(commit='a', code_sha256='0')), 'different codes'),
        ((dict(commit='a', systems={}),), 'no finished system'),
    ],
)
def test_reports_that_do_not_belong_together_are_refused(
    report, write_page, tmp_path, capsys, changes, message
):
    plain = {key: value for key, value in report.items() if key != 'commit'}
    paths = saved(tmp_path, *(plain | change for change in changes))
    with pytest.raises(SystemExit):
        write_page([*paths, '--out', str(tmp_path / 'index.md')])
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'index.md').exists()


@pytest.mark.parametrize('group', ['comparison', 'ablation'])
def test_every_file_that_a_metafile_names_exists(group):
    content = yaml.safe_load((HERE / f'configs/{group}/metafile.yml').read_text(encoding='utf-8'))
    named = {collection['README'] for collection in content['Collections']}
    named |= {model['Config'] for model in content['Models']}
    assert len(named) > 5
    assert not [name for name in named if not (HERE / name).is_file()]


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip('material', reason="the site needs pip install -e '.[docs]'")
    pytest.importorskip('mkdocstrings', reason="the site needs pip install -e '.[docs]'")
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    outside = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="?(?:https?:)?//')
    pages = list(tmp_path.rglob('*.html'))
    assert len(pages) > 30
    assert not [p.name for p in pages if outside.search(p.read_text(encoding='utf-8'))]
    method = (tmp_path / 'explanation/method.html').read_text(encoding='utf-8')
    assert method.count('<math') >= 13 and '$$' not in method
    assert 'CTInferencer' in (tmp_path / 'reference/api/apis.html').read_text(encoding='utf-8')
    assert '--accept' in (tmp_path / 'reference/cli.html').read_text(encoding='utf-8')
