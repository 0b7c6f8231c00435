"""The report says what was run, what it gave, and what is not known."""

import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from xaicovid_mm.reproduction import report as module
from xaicovid_mm.reproduction.columns import AUC, DICE
from xaicovid_mm.reproduction.cost import LABELLING, cost_of, cost_table, write_jobs
from xaicovid_mm.reproduction.figures import draw_figures
from xaicovid_mm.reproduction.markdown import difference_cell, score_cell
from xaicovid_mm.reproduction.model_index import write_model_index
from xaicovid_mm.reproduction.planning import plan
from xaicovid_mm.reproduction.report import write_comparison_report
from xaicovid_mm.reproduction.scores import differences, read_finished, system_scores
from xaicovid_mm.reproduction.systems import SYSTEMS


def rows(tp, patient, **values):
    return dict(
        sample_id=f'{patient}/0', case=patient, patient=patient, site='s', fp='0', nsd='',
        hd95_mm='', tp=str(tp), fn=str(10 - tp), **values,
    )  # fmt: skip


def outcome(*tps):
    return dict(seg=[rows(tp, f'p{k}') for k, tp in enumerate(tps)], cls=[])


def test_a_figure_is_the_mean_over_seeds_with_an_interval_over_patients_and_seeds():
    good, bad = outcome(*[10] * 4, *[8] * 4), outcome(*[5] * 4, *[4] * 4)
    name = 'seg/dice_infected_slice_mean'
    alone, both = (system_scores(dict(enumerate(tests)))[name] for tests in ([good], [good, bad]))
    assert both.seeds == (pytest.approx(17 / 18), pytest.approx((2 / 3 + 8 / 14) / 2))
    assert both.mean == pytest.approx(sum(both.seeds) / 2) and both.patients == 8
    assert both.high - both.low > 3 * (alone.high - alone.low)  # the seeds differ more
    assert not [name for name in system_scores({0: good}) if name.startswith('cls/')]


def test_five_patients_have_no_interval_and_the_cell_says_how_many_they_are():
    five = system_scores({0: outcome(*[10] * 4, 5)})['seg/dice_global']
    assert (five.low, five.patients) == (None, 5)
    assert score_cell(five.mean, five.low, five.high, five.patients) == '0.947 (no interval), n = 5'
    assert difference_cell(0.1, -0.05, 0.25, 0.031) == '+0.100 (-0.050 to +0.250), p = 0.031'
    assert difference_cell(0.1, 0.05, 0.15, 1e-4).endswith('p < 0.001')


def test_systems_are_compared_over_the_seeds_that_both_have():
    tests = {'a': {0: outcome(10, 10), 1: outcome(0, 0)}, 'b': {1: outcome(0, 10)}}
    found = differences(tests, 'a')
    assert list(found) == ['b']
    assert found['b']['seg/dice_patient_mean']['a'] == [0.0]
    assert found['b']['seg/dice_patient_mean']['difference'] == pytest.approx(-0.5)
    assert differences(tests, 'c') == {}


def test_what_one_system_does_not_do_is_not_compared():
    diagnosis = [dict(label='0', prob_NP='1', prob_CAP='0') | {'prob_COVID-19': '0'}]
    both = outcome(10) | dict(cls=[diagnosis[0] | rows(10, 'p0')])
    found = differences({'a': {0: both}, 'b': {0: outcome(5)}}, 'a')
    assert found['b'] and all(name.startswith('seg/') for name in found['b'])


@pytest.fixture(scope='module')
def report(runs, setting, tmp_path_factory):
    out = tmp_path_factory.mktemp('report')
    tests = read_finished(runs)
    figures = draw_figures(runs, tests=tests, out=out)
    path = write_comparison_report(out, setting=setting, runs=runs, tests=tests, figures=figures)
    return path.read_text(), out, figures


def line_of(text, title, heading):
    section = text.split(f'## {heading}')[1].split('\n## ')[0]
    return next(line for line in section.splitlines() if line.startswith(f'| {title} |'))


def test_every_table_has_the_rows_that_were_asked_for(report, runs):
    text, out, _ = report
    figures = json.loads((out / 'report.json').read_text())['systems']
    line = line_of(text, 'Ours, semi-supervised', 'Table IV')
    assert f'| 0.8549 | {figures["ours_semi"][DICE]["mean"]:.3f} (' in line
    assert '| 1 |' in line  # seeds
    weights = torch.load(runs[0].checkpoint, weights_only=True)['state_dict']
    millions = sum(value.numel() for value in weights.values()) / 1e6  # instance norm: no buffers
    assert line.startswith(f'| Ours, semi-supervised | {millions:.2f} | 1 |')
    assert f'{figures["ours_sup"][AUC]["mean"]:.3f}' in line_of(
        text, 'Ours, supervised', 'Table III'
    )
    assert 'Fig. 6' not in text  # none of its rows
    assert line_of(text, 'U-Net', 'Table IV').count('not run') == 8


def test_a_row_that_was_not_run_says_so(runs, setting, tmp_path):
    other = replace(runs[2], name='unet')
    text = write_comparison_report(
        tmp_path, setting=setting, runs=[*runs, other], tests=read_finished(runs), figures={}
    ).read_text()
    assert line_of(text, 'U-Net', 'Table IV').count('not run') == 8
    assert '2 of 4 runs are done' in text and 'unet, seed 1 (not run)' in text


def test_every_run_is_listed_with_its_hash_and_command(report, runs):
    text = report[0]
    for run in runs[:2]:
        assert f'{run.name}, seed {run.seed} ({run.fingerprint[:12]})' in text
    assert '`python tools/train.py configs/comparison/ours_sup.py --work-dir' in text
    assert 'XAICOVID_SCALE=quick' in text


def test_every_column_is_defined(report):
    text = report[0]
    assert 'a slice without infection that gets none scores 1' in text
    assert '95 % over patients and seeds, by the jackknife' in text


def test_differences_stand_beside_each_other(report):
    line = line_of(report[0], 'Ours, supervised', 'Differences')
    assert line.count('(') == 3


def test_each_variant_of_ours_that_was_run_is_set_against_the_others(
    report, runs, setting, tmp_path
):
    assert report[0].count('## Differences') == 1
    tests = read_finished(runs)
    tests['bn_semi'] = tests['ours_sup']
    path = write_comparison_report(
        tmp_path,
        setting=setting,
        runs=[*runs, replace(runs[1], name='bn_semi')],
        tests=tests,
        figures={},
    )
    heading = 'Differences, patient by patient: Ours, semi-supervised, batch norm'
    assert line_of(path.read_text(), 'Ours, supervised', heading).count('+0.000 (') == 3
    found = json.loads((tmp_path / 'report.json').read_text())['differences']
    assert found['bn_semi'].keys() == {'ours_semi', 'ours_sup'}
    mirrored = found['ours_semi']['bn_semi'][DICE]['difference']
    assert found['bn_semi']['ours_semi'][DICE]['difference'] == pytest.approx(-mirrored)


def test_figures_are_of_runs_that_are_done(report):
    _, out, figures = report
    assert {'training_curves.png', 'figure4_ours_semi.png'} <= set(figures)
    assert [t.startswith('Fig. 5') for t in figures.values()].count(True) == 2
    assert 'figure6.png' not in figures
    assert all((out / name).stat().st_size > 5000 for name in figures)
    assert all(f']({name})' in report[0] for name in figures)


def test_figure_6_needs_every_start(runs, setting, tmp_path):
    done = runs[1]
    sweep = {f'cam_start_{s:g}': replace(done, name=f'cam_start_{s:g}') for s in SHARES}
    tests = read_finished(sweep.values())
    assert 'figure6.png' in draw_figures(list(sweep.values()), tests=tests, out=tmp_path)


def test_figure_6_is_over_the_seeds_that_every_start_has(runs, tmp_path):
    done, other = runs[1], {0: outcome(10), 1: outcome(10)}
    sweep = [replace(done, name=f'cam_start_{s:g}') for s in SHARES]
    tests = read_finished(sweep)
    for partly in ({'cam_start_0.2': {}}, {'cam_start_0.2': {1: tests['cam_start_0.2'][0]}}):
        assert 'figure6.png' not in draw_figures(sweep, tests=tests | partly, out=tmp_path)
    without_auc = dict.fromkeys(tests, other)
    assert 'figure6.png' not in draw_figures(sweep, tests=without_auc, out=tmp_path)


def test_a_report_is_written_when_checkpoints_are_gone(runs, setting, tmp_path):
    copy = replace(runs[0], setting=replace(setting, root=tmp_path / 'runs'))
    shutil.copytree(runs[0].folder, copy.folder)
    for path in copy.folder.glob('*.pth'):
        path.unlink()
    log = next(copy.folder.glob('*/vis_data/scalars.json'))
    log.write_text(log.read_text() + '{"cut sh')  # by a kill
    assert copy.is_done()
    figures = draw_figures([copy], tests=read_finished([copy]), out=tmp_path)
    assert set(figures) == {'figure4_ours_semi.png', 'training_curves.png'}


def test_the_report_says_on_whom_it_stands(report):
    text, out, _ = report
    scored = json.loads((out / 'report.json').read_text())['scored']
    assert (scored['patients'], scored['infected_patients']) == (3, 1)
    assert f'Scored are 3 patients with {scored["slices"]} slices (' in text
    assert sum(scored['slices_by_class'].values()) == scored['slices']


def test_a_class_that_nobody_has_is_named(runs, setting, tmp_path, monkeypatch):
    nobody = dict.fromkeys(('NP', 'COVID-19'), 5) | dict(CAP=0)
    some = dict(patients=2, slices=10, infected_patients=1, infected_slices=3)
    monkeypatch.setattr(module, '_scored_counts', lambda *_: some | dict(slices_by_class=nobody))
    text = write_comparison_report(
        tmp_path, setting=setting, runs=runs, tests=read_finished(runs), figures={}
    ).read_text()
    assert 'no CAP among the test patients, so every macro score' in text


SHARES = (0, 0.2, 0.4, 0.6, 0.8, 1)


def test_the_plan_counts_parameters_steps_and_operations(runs):
    cost = cost_of(runs[0], tflops=1)
    assert cost.steps == 4  # two epochs of two batches
    twice = cost_of(runs[0], tflops=2)
    assert cost.hours == pytest.approx(2 * twice.hours) and cost.hours > 0
    supervised = cost_of(runs[1], tflops=1)
    assert supervised.parameters == cost.parameters
    assert cost.hours / supervised.hours == pytest.approx(2 * LABELLING)
    table = cost_table(runs, tflops=10, gpus=4)
    assert table.row_count == 2 and '3 runs' in table.caption


def test_every_system_can_be_planned(setting):
    whole = replace(setting, project=Path(__file__).parents[2])
    for run in {run.config: run for run in plan(SYSTEMS, [0], [whole])}.values():
        cost = cost_of(run, tflops=1)
        assert cost.hours > 0 and cost.parameters > 0, run.name


def test_jobs_name_every_run(runs, setting, tmp_path):
    script = write_jobs(runs, out=tmp_path, gpus=4).read_text()
    assert '--array=1-3%4' in script and '--only-seed "$SEED"' in script
    assert '--split "$SPLIT" --budget "$BUDGET"' in script and '--recipe paper' in script
    assert (tmp_path / 'jobs.txt').read_text().splitlines() == [
        f'{run.name} {run.seed} default all' for run in runs
    ]


def test_the_model_index_holds_what_the_report_holds(report, tmp_path):
    figures = json.loads((report[1] / 'report.json').read_text())
    (tmp_path / 'configs/comparison').mkdir(parents=True)
    command = [str(report[1] / 'report.json'), '--project', str(tmp_path)]
    runpy.run_path('tools/misc/model_index.py')['main'](command)
    index = yaml.safe_load((tmp_path / 'model-index.yml').read_text())
    assert index == {'Import': ['configs/comparison/metafile.yml']}
    models = yaml.safe_load((tmp_path / index['Import'][0]).read_text())['Models']
    ours = next(m for m in models if m['Config'] == 'configs/comparison/ours_semi.py')
    infection = next(r for r in ours['Results'] if r['Task'] == 'Semantic Segmentation')
    mean = figures['systems']['ours_semi'][DICE]['mean']
    assert infection['Metrics']['dice_slice_mean'] == pytest.approx(mean, abs=1e-4)
    assert ours['Metadata']['Code sha256'] == figures['code_sha256']


def test_an_index_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match='no report has a system'):
        write_model_index([dict(systems={})], tmp_path)
