"""The threshold of the infection is chosen on validation patients."""

import csv

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.metrics import InfectionMetric
from xaicovid_mm.evaluation.referral import scan_doubts
from xaicovid_mm.evaluation.slice_scores import read_rows
from xaicovid_mm.evaluation.threshold_choice import CHOSEN_FILE, chosen_threshold
from xaicovid_mm.utils.errors import DataError


def sample(number, prob, infected):
    mask = torch.zeros(1, 4, 4, dtype=torch.uint8)
    mask[:, :2] = infected
    return dict(
        sample_id=f'{number}/0',
        case=str(number),
        patient=str(number),
        site='a',
        infection=mask,
        prob=torch.as_tensor(prob, dtype=torch.float32).expand(1, 4, 4),
        lung=torch.ones(1, 4, 4, dtype=torch.bool),
        pixel_mm=None,
    )


def written(folder, *samples):
    metric = InfectionMetric(out_file=str(folder / 'infection.csv'))
    metric.process({}, samples)
    metric.evaluate(len(samples))
    return folder


def test_the_best_threshold_for_infected_patients_is_found(tmp_path):
    prob = np.full((4, 4), 0.22)
    prob[:2] = 0.33  # infected: any threshold from 0.25 to 0.3 is perfect
    assert chosen_threshold(written(tmp_path, sample(0, prob, True))) == pytest.approx(0.3)


def test_of_equally_good_thresholds_it_is_the_one_nearest_to_one_half(tmp_path):
    prob = np.zeros((4, 4))
    prob[:2] = 0.99
    assert chosen_threshold(written(tmp_path, sample(0, prob, True))) == 0.5


def test_patients_count_alike_and_those_without_infection_do_not(tmp_path):
    low, high = np.zeros((4, 4)), np.zeros((4, 4))
    low[:2], high[:2] = 0.33, 0.9
    folder = written(tmp_path, sample(0, low, True), sample(1, high, True), sample(2, 0.6, False))
    assert chosen_threshold(folder) == pytest.approx(0.3)
    rows = {float(row['threshold']): row for row in read_rows(folder / 'thresholds.csv')}
    assert len(rows) == 19
    assert float(rows[0.5]['dice_infected_patient_mean']) == pytest.approx(0.5)
    assert float(rows[0.5]['empty_slice_perfect_share']) == 0
    assert float(rows[0.65]['empty_slice_perfect_share']) == 1


def test_the_doubt_is_known_at_the_threshold_that_was_chosen(tmp_path):
    prob = np.full((4, 4), 0.22)
    prob[:2] = 0.33
    folder = written(tmp_path, sample(0, prob, True))
    (chosen,), (tested,) = (read_rows(folder / name) for name in (CHOSEN_FILE, 'infection.csv'))
    assert (chosen['tp'], chosen['fp'], chosen['fn']) == ('8', '0', '0')
    assert float(chosen['prob_in_mask']) == pytest.approx(8 * 0.33, abs=1e-3)
    assert float(chosen['prob_sum']) == pytest.approx(8 * 0.55, abs=1e-3)
    assert (tested['tp'], tested['fn'], tested['prob_in_mask']) == ('0', '8', '0.0')
    classes = [dict(case='0', label=2, prob_NP=0.1, prob_CAP=0.1, **{'prob_COVID-19': 0.8})]
    (scan,) = scan_doubts([chosen], classes)
    assert scan['missed_mask'] == 0
    assert scan['doubt'].mask == pytest.approx(1 - 2 * 2.64 / (4.4 + 8), abs=1e-3)
    (at_half,) = scan_doubts([tested], classes)
    assert at_half['missed_mask'] == 1 and at_half['doubt'].mask == 0


def test_without_infected_patients_there_is_nothing_to_choose(tmp_path):
    assert chosen_threshold(tmp_path) is None
    assert chosen_threshold(written(tmp_path, sample(0, 0.2, False))) is None


def test_the_counts_by_threshold_do_not_swell_the_rows_of_the_slices(tmp_path):
    folder = written(tmp_path, sample(0, 0.2, True))
    with open(folder / 'infection.csv', newline='') as file:
        header = next(csv.reader(file))
    assert header[-5:] == ['nsd', 'hd95_mm', 'prob_sum', 'prob_in_mask', 'bins']


@pytest.mark.parametrize(
    'content', [b'', b'[1]', bytes(range(256)), b'case,tp\n', b'case,tp\na\n', b'case\na,1\n']
)
def test_a_damaged_table_of_a_test_is_refused_and_not_taken_for_none(content, tmp_path):
    (tmp_path / 'thresholds.csv').write_bytes(content)
    with pytest.raises(DataError, match='thresholds.csv .*: test the checkpoint again'):
        chosen_threshold(tmp_path)
