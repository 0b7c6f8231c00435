"""The metrics and the report that stands on them."""

import csv
import json
import logging
import runpy

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.comparison import compare, comparison_table, read_test_rows
from xaicovid_mm.evaluation.metric_definitions import definition
from xaicovid_mm.evaluation.metrics import DiagnosisMetric, InfectionMetric
from xaicovid_mm.evaluation.metrics import slice_records as records_module
from xaicovid_mm.evaluation.score_report import as_table, make_report, write_score_report
from xaicovid_mm.evaluation.slice_scores import diagnosis_score, read_rows


def sample(number, patient='p', label=2, infected=True, prob=0.9, site='s'):
    infection = torch.zeros(1, 4, 4, dtype=torch.uint8)
    if infected:
        infection[0, :2] = 1
    return dict(
        sample_id=f'{patient}/{number}',
        case=patient,
        patient=patient,
        site=site,
        pixel_mm=(2.0, 3.0),
        label=torch.tensor(label),
        infection=infection,
        prob=prob * infection.float(),
        scores=torch.eye(3)[label] * 0.7 + 0.1,
    )


def test_a_perfect_prediction_scores_one():
    metric = InfectionMetric()
    metric.process({}, [sample(0), sample(1, infected=False)])
    found = metric.evaluate(2)
    assert found['seg/dice_slice_mean'] == 1 and found['seg/empty_slice_perfect_share'] == 1


def test_without_infection_no_overlap_of_all_pixels_is_said():
    metric = InfectionMetric()
    metric.process({}, [sample(1, infected=False)])
    assert not [name for name in metric.evaluate(1) if name.endswith('_global')]


def test_the_threshold_is_on_the_probability():
    metric = InfectionMetric(threshold=0.95)
    metric.process({}, [sample(0)])
    assert metric.evaluate(1)['seg/dice_global'] == 0


def test_infection_outside_the_lungs_is_missed_and_nothing_is_predicted_there():
    metric, beside = InfectionMetric(), sample(0)
    beside['lung'] = torch.zeros(1, 4, 4, dtype=torch.bool)
    beside['lung'][0, 1:3] = True  # infected is 0 and 1: one row is inside, one outside
    beside['prob'] = torch.full((1, 4, 4), 0.9)
    metric.process({}, [beside])
    (counts,) = metric.results
    assert (counts['tp'], counts['fp'], counts['fn']) == (4, 4, 4)


def test_slices_padded_by_a_sampler_count_once():
    metric = InfectionMetric()
    metric.process({}, [sample(0), sample(1, prob=0.1), sample(0)])
    assert metric.evaluate(3)['seg/dice_slice_mean'] == pytest.approx(0.5)


@pytest.fixture
def log(monkeypatch):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.Logger('metrics')
    logger.addHandler(handler)
    monkeypatch.setattr(records_module.MMLogger, 'get_current_instance', lambda: logger)
    return lines


@pytest.mark.parametrize(
    'metric, field, score',
    [
        (InfectionMetric, 'infection', 'seg/dice_slice_mean'),
        (DiagnosisMetric, 'label', 'cls/accuracy_slice'),
    ],
)
def test_slices_without_truth_are_left_out_and_counted(metric, field, score, log):
    metric, unknown = metric(), sample(1, prob=0.1)
    unknown['scores'] = torch.tensor([0.8, 0.1, 0.1])
    del unknown[field]
    metric.process({}, [sample(0), unknown, unknown])
    assert metric.evaluate(3)[score] == 1
    assert any('1 of 2 slices have no known' in line for line in log)


def test_without_any_truth_there_is_no_score(tmp_path):
    for metric in (InfectionMetric, DiagnosisMetric):
        metric = metric(out_file=str(tmp_path / 'rows.csv'))
        unknown = sample(0)
        del unknown['infection'], unknown['label']
        metric.process({}, [unknown])
        assert metric.evaluate(1) == {}
    assert read_rows(tmp_path / 'rows.csv') == []


def test_the_slices_of_all_ranks_are_scored_once(monkeypatch):
    """Rank 1 holds other slices and the repeat that its sampler was padded with."""
    ours, theirs = InfectionMetric(), InfectionMetric()
    ours.process({}, [sample(0), sample(2, prob=0.1)])
    theirs.process({}, [sample(1, prob=0.1), sample(0)])

    def collect(results, size, device, tmpdir=None):
        return [r for pair in zip(results, theirs.results, strict=True) for r in pair]

    monkeypatch.setattr('mmengine.evaluator.metric.collect_results', collect)
    assert ours.evaluate(3)['seg/dice_slice_mean'] == pytest.approx(1 / 3)


def test_absent_classes_are_named_in_the_log(log):
    metric = DiagnosisMetric()
    metric.process({}, [sample(0, 'a', label=2), sample(1, 'b', label=0)])
    assert 'cls/auc_macro_slice' in metric.evaluate(2)
    assert "no slice of ['CAP']: averages over classes go without" in log


def test_a_single_class_has_no_auc_and_the_log_says_so(log):
    metric = DiagnosisMetric()
    metric.process({}, [sample(0)])
    assert set(metric.evaluate(1)) == {
        f'cls/{name}_{level}'
        for name in ('accuracy', 'sensitivity_macro')
        for level in ('slice', 'patient')
    }
    assert "no slice of ['NP', 'CAP']: no specificity and no AUC" in log


def test_diagnosis_is_scored_by_slice_and_by_patient():
    metric = DiagnosisMetric()
    metric.process({}, [sample(i, f'p{i % 4}', label=2 * (i % 2)) for i in range(8)])
    found = metric.evaluate(8)
    assert found['cls/accuracy_slice'] == found['cls/auc_macro_patient'] == 1
    assert not any('CAP' in name for name in found)


SPREAD = [sample(i, f'p{i % 4}', 2 * (i % 2), bool(i % 2), site=f's{i % 2}') for i in range(8)]


def rows_by_metric(samples, folder):
    """Rows of both metrics, by way of their files."""
    for metric, name in ((InfectionMetric, 'infection.csv'), (DiagnosisMetric, 'diagnosis.csv')):
        metric = metric(out_file=str(folder / name))
        metric.process({}, samples)
        metric.evaluate(len(samples))
    return read_test_rows(folder)


def rows_of(samples, folder):
    return rows_by_metric(samples, folder).values()


@pytest.fixture
def report(tmp_path):
    return make_report(*rows_of(SPREAD, tmp_path))


def test_the_report_has_every_score_with_its_basis(report):
    dice = report['scores']['seg/dice_patient_mean']
    assert dice == dict(value=1.0, low=None, high=None, patients=4, slices=8)
    assert report['scores']['seg/dice_infected_patient_mean']['patients'] == 2
    assert report['scores']['cls/auc_macro_patient']['patients'] == 2  # of either class
    assert 'cls/auc_macro_patient' in report['scores']


def test_the_report_says_when_class_is_confounded_with_site(report):
    assert 'confounded with site' in report['notes'][0]


def test_nothing_is_said_of_sites_that_have_every_class(tmp_path):
    mixed = [{**s, 'site': f's{i // 2}'} for i, s in enumerate(SPREAD[:4])]
    assert make_report(*rows_of(mixed, tmp_path))['notes'] == []


def test_the_report_can_be_shown_and_written_with_its_definitions(report, tmp_path):
    rows = list(as_table(report, 'x').columns[0].cells)
    assert rows[: len(report['scores'])] == list(report['scores'])
    assert 'seg/dice_infected_patient_mean, s1' in rows
    write_score_report(report, tmp_path / 'r.json')
    written = json.loads((tmp_path / 'r.json').read_text())
    assert set(written['definitions']) == {*report['scores'], 'interval'}
    assert 'mean over patients;' in written['definitions']['seg/dice_patient_mean']


def test_scores_of_five_patients_have_no_interval_and_those_of_six_have_one(tmp_path):
    many = [sample(i, f'p{i}', 2 * (i % 2), i < 5) for i in range(12)]
    report = make_report(*rows_of(many, tmp_path))
    infected, every = (report['scores'][f'seg/dice_{k}patient_mean'] for k in ('infected_', ''))
    assert (infected['patients'], infected['low']) == (5, None)
    assert every['patients'] == 12 and every['low'] < 1 == every['high']
    assert report['scores']['cls/auc_macro_patient']['patients'] == 6
    table = as_table(report, 'x')
    assert 'n/a' in list(table.columns[2].cells) and 'No interval under 6' in table.caption


def test_the_report_and_the_metric_say_the_same(report):
    metric = DiagnosisMetric()
    metric.process({}, SPREAD)
    for name, value in metric.evaluate(8).items():
        assert report['scores'][name]['value'] == pytest.approx(value)


def test_the_weight_of_a_patient_is_that_of_its_slices(tmp_path):
    wrong = [sample(i, 'b', label=2) | {'scores': torch.tensor([0.9, 0.1, 0])} for i in range(3)]
    _, rows = rows_of([sample(0, 'a', label=0), *wrong], tmp_path)
    found = diagnosis_score(rows)(np.array([3.0, 1.0]))
    assert (found['accuracy_slice'], found['accuracy_patient']) == (0.5, 0.75)


@pytest.mark.parametrize(
    'name, words',
    [
        ('seg/iou_infected_slice_mean', 'TP/(TP+FP+FN) of infected pixels; mean over slices with'),
        ('seg/dice_global', 'counts of all slices summed'),
        ('seg/empty_slice_perfect_share', 'share of those without'),
        ('cls/auc_COVID-19_patient', 'against the rest, ties count half; mean class prob'),
    ],
)
def test_a_name_is_defined_by_its_measure_and_its_average(name, words):
    assert words in definition(name)


def test_a_name_without_definition_is_refused():
    with pytest.raises(KeyError, match='dice_of_luck'):
        definition('seg/dice_of_luck')


def test_a_better_system_is_compared_patient_by_patient(tmp_path):
    worse = [{**s, 'prob': s['prob'] * (0.1 if i % 4 == 1 else 1)} for i, s in enumerate(SPREAD)]
    good, bad = rows_by_metric(SPREAD, tmp_path / 'good'), rows_by_metric(worse, tmp_path / 'bad')
    found = compare([good], [{**bad, 'seg': bad['seg'][::-1]}])
    assert found['seg/dice_slice_mean']['difference'] == pytest.approx(0.25)
    nothing = dict(difference=0.0, low=None, high=None, p_value=None, patients=4, slices=8)
    assert found['cls/accuracy_slice'].items() >= nothing.items()


def test_a_system_of_several_seeds_is_the_mean_of_them(tmp_path):
    worse = [{**s, 'prob': s['prob'] * (0.1 if i % 4 == 1 else 1)} for i, s in enumerate(SPREAD)]
    good, bad = rows_by_metric(SPREAD, tmp_path / 'good'), rows_by_metric(worse, tmp_path / 'bad')
    found = compare([good, bad], [bad, bad])['seg/dice_slice_mean']
    assert found['a'] == pytest.approx([1, 0.75]) and found['b'] == pytest.approx([0.75, 0.75])
    assert found['difference'] == pytest.approx(0.125)
    table = comparison_table({'seg/dice_slice_mean': found}, 'semi', 'supervised')
    assert '0.875 (1.000, 0.750)' in list(table.columns[1].cells)


def test_the_tool_prints_both_systems_and_writes_the_difference(tmp_path, capsys):
    rows_by_metric(SPREAD, tmp_path)
    out = tmp_path / 'new' / 'out.json'
    command = ['--a', str(tmp_path), '--b', str(tmp_path), '--out', str(out)]
    runpy.run_path('tools/analysis_tools/compare_runs.py')['main'](command)
    assert 'seg/dice_slice_mean' in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found and all(score['difference'] == 0 for score in found.values())


def test_a_folder_without_a_test_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'infection.csv.*xaicovid test'):
        read_test_rows(tmp_path)


def test_systems_tested_on_other_slices_are_not_compared(tmp_path):
    whole = rows_by_metric(SPREAD, tmp_path)
    with pytest.raises(ValueError, match="8 and 7 slices.*'p3/7'"):
        compare([whole], [whole, {**whole, 'seg': whole['seg'][:-1]}])


def test_rows_hold_counts_outlines_and_names_only(tmp_path):
    metric = InfectionMetric(out_file=str(tmp_path / 'seg.csv'))
    metric.process({}, [sample(0)])
    metric.evaluate(1)
    (row,) = csv.DictReader(open(tmp_path / 'seg.csv', newline=''))
    counts = dict(tp='8', fp='0', fn='0', nsd='1.0', hd95_mm='0.0')
    counts |= dict(prob_sum='7.2', prob_in_mask='7.2', bins='0:8:0:0.000 45:8:8:7.200')
    assert row == dict(sample_id='p/0', case='p', patient='p', site='s') | counts


def test_outlines_are_scored_where_the_size_of_a_pixel_is_known():
    metric, unknown = InfectionMetric(), sample(1)
    unknown['pixel_mm'] = None
    low = sample(2)
    low['prob'] = torch.zeros(1, 4, 4)
    low['prob'][0, :3] = 0.9  # one row of 2 mm too many
    metric.process({}, [sample(0), unknown, low, sample(3, prob=0.1), sample(4, infected=False)])
    found = metric.evaluate(5)
    assert found['seg/nsd_3mm_infected_slice_mean'] == pytest.approx((1 + 1 + 0) / 3)
    assert found['seg/hd95_mm_hit_slice_mean'] == pytest.approx((0 + 2) / 2)
    assert found['seg/hit_slice_share'] == pytest.approx(2 / 3)


def test_without_a_size_in_mm_there_is_no_distance():
    metric, unknown = InfectionMetric(), sample(0)
    unknown['pixel_mm'] = None
    metric.process({}, [unknown])
    assert not [name for name in metric.evaluate(1) if 'mm' in name or 'hit' in name]


def test_a_metric_names_all_that_it_gives():
    metric = InfectionMetric()
    metric.process({}, [sample(0), sample(1, 'q', infected=False)])
    assert set(metric.names()) == set(metric.evaluate(2))
