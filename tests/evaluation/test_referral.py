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
from xaicovid_mm.evaluation.score_report import as_table
from xaicovid_mm.evaluation.slice_scores import read_rows


def test_each_part_of_the_doubt_by_hand():
    found = doubt(np.array([0.3, 0.1, 0.6]), prob_sum=12, prob_in_mask=9, mask_pixels=10)
    assert found == pytest.approx((1 - 0.3, 1 - 18 / 22, 0.3))
    assert found.wrong_class == pytest.approx(0.7)
    assert found.missed_mask == pytest.approx(1 - 18 / 22)


def test_without_a_mask_covid_is_the_conflict():
    found = doubt(np.array([0.0, 0.1, 0.9]), prob_sum=3, prob_in_mask=0, mask_pixels=0)
    assert (found.mask, found.conflict) == (0, 0.9)


def test_a_doubt_that_is_no_number_is_refused_as_it_would_refer_nobody():
    known = dict(prob_sum=9.0, prob_in_mask=6.0, mask_pixels=7)
    for probs, sums in (([0.2, np.nan, 0.5], {}), ([0.2, 0.3, 0.5], dict(prob_sum=np.nan))):
        with pytest.raises(ValueError, match='must be finite'):
            doubt(np.array(probs), **known | sums)


def test_a_scan_is_referred_from_the_threshold_of_either_loss_on():
    found = Doubt(0.1, 0.2, 0.6)
    asked = referral(found, dict(wrong_class=0.6, missed_mask=0.3))
    assert asked['refer'] is True and asked['because'] == 'conflict'
    assert asked['wrong_class'] == dict(score=0.6, threshold=0.6, refer=True)
    assert asked['missed_mask'] == dict(score=0.2, threshold=0.3, refer=False)
    assert referral(found, dict(wrong_class=0.61, missed_mask=0.2))['refer'] is True
    assert referral(found, dict(wrong_class=0.61))['refer'] is False
    assert referral(found, dict(wrong_class=None))['refer'] is None


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


def scan(margin, wrong, mask=0.0, missed=0.0):
    return dict(
        patient=f'p{margin}{mask}', doubt=Doubt(margin, mask, 0), disagreement=None,
        wrong_class=wrong, missed_mask=missed,
    )  # fmt: skip


def test_the_threshold_catches_failures_and_refers_few_others():
    scans = [scan(s, 0) for s in (0.1, 0.2, 0.3, 0.4, 0.75)] + [scan(0.7, 1), scan(0.8, 1)]
    assert choose_referral(scans)['wrong_class'] == (0.7, '', 1.0, pytest.approx(3 / 7))


def test_each_loss_has_a_threshold_of_its_own():
    """Classes fail from a doubt of 0.7 on, masks from 0.4 on, and not on the same scans."""
    classes = [scan(s, int(s >= 0.7), 0.0, 0.0) for s in (0.5, 0.6, 0.7, 0.8)]
    masks = [scan(0.5, 0, mask, 0.9 if mask >= 0.4 else 0.1) for mask in (0.2, 0.3, 0.4, 0.45)]
    found = choose_referral(classes + masks)
    assert (found['wrong_class'].threshold, found['missed_mask'].threshold) == (0.7, 0.4)
    assert found['missed_mask'].caught == 1 and found['missed_mask'].referred == 2 / 8


def test_a_mask_fails_below_half_a_dice():
    scans = [scan(k / 10, 0, k / 10, 0.5 if k < 4 else 0.51) for k in range(8)]
    assert choose_referral(scans)['missed_mask'].threshold == 0.4


@pytest.mark.parametrize(
    'scans, reason',
    [
        ([scan(0.1, 0), scan(0.2, 1)], '2 patients, at least 6'),
        ([scan(k / 10, 0) for k in range(8)], '0 of 8 scans failed'),
        ([scan(k / 10, int(k < 4)) for k in range(8)], 'does not tell'),
    ],
)
def test_a_threshold_that_nothing_supports_is_not_chosen(scans, reason):
    choice = choose_referral(scans)['wrong_class']
    assert choice.threshold is None and reason in choice.reason


def test_the_report_gives_the_area_with_the_patients_it_rests_on():
    scans = [scan(k / 10, int(k > 6), k / 10, k / 20) for k in range(9)]
    found = referral_report(scans)
    assert found['wrong_class']['excess_aurc'] == pytest.approx(0)
    mask = found['missed_mask']
    assert mask['patients'] == 9 and mask['low'] < mask['aurc'] < mask['high']
    assert mask['curve'][-1] == pytest.approx([1, mask['risk']])
    assert referral_report(scans[:5])['missed_mask']['low'] is None
    assert referral_report([]) == {}


def test_a_test_says_where_tied_scores_make_the_interval_of_the_area_less_sure():
    scans = [scan(0, int(k > 6), max(k - 4, 0) / 10, k / 20) for k in range(10)]
    confidence = dict(classes=None, masks=None)
    report = dict(scores={}, sites={}, notes=[], confidence=confidence)
    report['referral'] = referral_report(scans)
    assert report['referral']['missed_mask']['tied'] == 0.5
    assert '50% of its scans share a score' in as_table(report, '').caption
    for fewer in (scans[4:], scans[:5]):  # no ties; too few for an interval
        report['referral'] = referral_report(fewer)
        assert 'share a score' not in as_table(report, '').caption


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
