"""A doubtful scan is referred, and the report says what that gains."""

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.metrics import DiagnosisMetric, InfectionMetric
from xaicovid_mm.evaluation.referral import (
    Doubt,
    aurc,
    binary_entropy,
    choose_referral,
    doubt,
    referral,
    referral_report,
    risk_coverage,
    scan_doubts,
)
from xaicovid_mm.evaluation.slice_scores import read_rows


def test_each_part_of_the_doubt_by_hand():
    found = doubt(np.array([0.3, 0.1, 0.6]), prob_sum=12, prob_in_mask=9, mask_pixels=10)
    assert found == pytest.approx((1 - 0.3, 1 - 18 / 22, 0.3))
    assert found.score == pytest.approx(0.7)


def test_without_a_mask_covid_is_the_conflict():
    found = doubt(np.array([0.0, 0.1, 0.9]), prob_sum=3, prob_in_mask=0, mask_pixels=0)
    assert (found.mask, found.conflict) == (0, 0.9)


def test_a_scan_is_referred_from_the_threshold_on_and_the_reason_is_named():
    sure, unsure = Doubt(0.1, 0.2, 0.05), Doubt(0.1, 0.2, 0.6)
    assert referral(sure, 0.6)['refer'] is False
    asked = referral(unsure, 0.6)
    assert (asked['refer'], asked['because'], asked['score']) == (True, 'conflict', 0.6)
    assert referral(unsure, None)['refer'] is None


def test_risk_and_coverage_by_hand():
    """Kept in the order 0, 1, 0: risks 0, 1/2, 1/3."""
    loss, scores = np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.1, 0.9])
    coverage, risk = risk_coverage(loss, scores)
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1]) and risk == pytest.approx([0, 1 / 2, 1 / 3])
    assert aurc(loss, scores) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert aurc(loss, loss) == pytest.approx((0 + 0 + 1 / 3) / 3)


def test_a_score_that_knows_nothing_has_the_mean_loss():
    loss = np.array([1.0, 0.0, 0.5, 0.1])
    assert aurc(loss, np.ones(4)) == pytest.approx(loss.mean())


def test_a_scan_that_counts_twice_is_two_scans():
    loss, scores = np.array([0.2, 0.9, 0.4]), np.array([0.1, 0.8, 0.3])
    twice = aurc(np.r_[loss, loss[1]], np.r_[scores, scores[1]])
    assert aurc(loss, scores, np.array([1.0, 2.0, 1.0])) == pytest.approx(twice)


def test_no_area_is_below_that_of_the_best_order():
    rng = np.random.default_rng(0)
    loss = rng.random(30)
    assert all(aurc(loss, rng.random(30)) >= aurc(loss, loss) for _ in range(20))


def scan(score, wrong, missed=0.0, patient=None):
    patient = patient or f'p{score}'
    known = Doubt(score, 0, 0)
    return dict(
        patient=patient, doubt=known, disagreement=None, wrong_class=wrong, missed_mask=missed
    )


def test_the_threshold_catches_failures_and_refers_few_others():
    scans = [scan(s, 0) for s in (0.1, 0.2, 0.3, 0.4, 0.75)] + [scan(0.7, 1), scan(0.8, 0, 0.6)]
    choice = choose_referral(scans)
    assert choice == (0.7, '', 1.0, pytest.approx(3 / 7))


@pytest.mark.parametrize(
    'scans, reason',
    [
        ([scan(0.1, 0), scan(0.2, 1)], '2 patients, at least 6'),
        ([scan(k / 10, 0) for k in range(8)], '0 of 8 scans failed'),
        ([scan(k / 10, int(k < 4)) for k in range(8)], ''),
    ],
)
def test_a_threshold_that_nothing_supports_is_not_chosen(scans, reason):
    choice = choose_referral(scans)
    assert choice.threshold is None and reason in choice.reason and choice.reason


def test_the_report_gives_the_area_with_the_patients_it_rests_on():
    scans = [scan(k / 10, int(k > 6), k / 20) for k in range(9)]
    found = referral_report(scans)
    assert found['wrong_class']['excess_aurc'] == pytest.approx(0)
    mask = found['missed_mask']
    assert mask['patients'] == 9 and mask['low'] < mask['aurc'] < mask['high']
    assert mask['curve'][-1] == pytest.approx([1, mask['risk']])
    assert referral_report(scans[:5])['missed_mask']['low'] is None
    assert referral_report([]) == {}


def test_entropy_is_highest_at_a_half():
    assert binary_entropy(np.array([0, 0.5, 1, 0.11])) == pytest.approx([0, 1, 0, 0.5], abs=1e-3)


def test_the_doubt_of_a_scan_is_that_of_the_rows_that_the_metrics_write(tmp_path):
    prob = torch.zeros(1, 4, 4)
    prob[0, 0], prob[0, 1] = 0.8, 0.3
    infection = torch.zeros(1, 4, 4, dtype=torch.uint8)
    infection[0, 0] = 1
    samples = [
        dict(
            sample_id=f'c/{k}', case='c', patient='p', site='s', pixel_mm=None, prob=prob,
            label=torch.tensor(2), infection=infection, scores=torch.tensor([0.2, 0.2, 0.6]),
        )
        for k in range(2)
    ]  # fmt: skip
    rows = []
    for metric, name in ((InfectionMetric, 'seg.csv'), (DiagnosisMetric, 'cls.csv')):
        metric = metric(out_file=str(tmp_path / name))
        metric.process({}, samples)
        metric.evaluate(2)
        rows.append(read_rows(tmp_path / name))
    (found,) = scan_doubts(*rows)
    assert found['doubt'] == pytest.approx((0.6, 1 - 6.4 / (4.4 + 4), 0.2), abs=1e-3)
    assert (found['wrong_class'], found['missed_mask']) == (0, 0)
    old = [{k: v for k, v in row.items() if k != 'prob_sum'} for row in rows[0]]
    assert scan_doubts(old, rows[1]) == []
