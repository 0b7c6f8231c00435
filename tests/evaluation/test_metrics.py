"""The metrics and the report that stands on them."""

import csv

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.figure_strip import PANELS, draw_strip
from xaicovid_mm.evaluation.metrics import DiagnosisMetric, InfectionMetric
from xaicovid_mm.evaluation.report_table import as_table, make_report, read_rows, write_report


def sample(number, patient='p', label=2, infected=True, prob=0.9, site='s'):
    infection = torch.zeros(1, 4, 4, dtype=torch.uint8)
    if infected:
        infection[0, :2] = 1
    return dict(
        sample_id=f'{patient}/{number}',
        case=patient,
        patient=patient,
        site=site,
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


def test_the_threshold_is_on_the_probability():
    metric = InfectionMetric(threshold=0.95)
    metric.process({}, [sample(0)])
    assert metric.evaluate(1)['seg/dice_global'] == 0


def test_slices_padded_by_a_sampler_count_once():
    metric = InfectionMetric()
    metric.process({}, [sample(0), sample(1, prob=0.1), sample(0)])
    assert metric.evaluate(3)['seg/dice_slice_mean'] == pytest.approx(0.5)


def test_slices_without_truth_are_left_out():
    metric, unknown = InfectionMetric(), sample(1, prob=0.1)
    del unknown['infection']
    metric.process({}, [sample(0), unknown])
    assert metric.evaluate(2)['seg/dice_slice_mean'] == 1


def test_diagnosis_is_scored_by_slice_and_by_patient():
    metric = DiagnosisMetric()
    metric.process({}, [sample(i, f'p{i % 4}', label=2 * (i % 2)) for i in range(8)])
    found = metric.evaluate(8)
    assert found['cls/accuracy_slice'] == found['cls/auc_macro_patient'] == 1
    assert not any('CAP' in name for name in found)


@pytest.fixture
def report(tmp_path):
    samples = [sample(i, f'p{i % 4}', 2 * (i % 2), bool(i % 2), site=f's{i % 2}') for i in range(8)]
    for metric, name in ((InfectionMetric, 'seg.csv'), (DiagnosisMetric, 'cls.csv')):
        metric = metric(out_file=str(tmp_path / name))
        metric.process({}, samples)
        metric.evaluate(8)
    return make_report(read_rows(tmp_path / 'seg.csv'), read_rows(tmp_path / 'cls.csv'), 50)


def test_the_report_has_every_score_with_an_interval_and_its_basis(report):
    dice = report['scores']['seg/dice_patient_mean']
    assert dice == dict(value=1.0, low=1.0, high=1.0, patients=4, slices=8)
    assert 'cls/auc_macro_patient' in report['scores']


def test_the_report_says_when_class_is_confounded_with_site(report):
    assert 'confounded with site' in report['notes'][0]


def test_the_report_can_be_shown_and_written(report, tmp_path):
    assert as_table(report, 'x').row_count == len(report['scores'])
    write_report(report, tmp_path / 'r.json')
    assert 'dice_patient_mean' in (tmp_path / 'r.json').read_text()


def test_rows_hold_counts_and_names_only(tmp_path):
    metric = InfectionMetric(out_file=str(tmp_path / 'seg.csv'))
    metric.process({}, [sample(0)])
    metric.evaluate(1)
    (row,) = csv.DictReader(open(tmp_path / 'seg.csv', newline=''))
    assert row == dict(sample_id='p/0', case='p', patient='p', site='s', tp='8', fp='0', fn='0')


def test_a_strip_is_drawn_as_a_picture(tmp_path):
    maps = {name: np.random.default_rng(0).random((16, 16)) for name in PANELS}
    row = dict(title='a', image=np.eye(16), infection=np.eye(16), **maps)
    draw_strip([row, row], tmp_path / 'strip.png')
    assert (tmp_path / 'strip.png').read_bytes()[:4] == b'\x89PNG'
