"""How far several predictions of one scan differ, by hand."""

import pytest
import torch
from scipy.spatial.distance import cdist, dice

from xaicovid_mm.evaluation.disagreement import Disagreement, scan_disagreement
from xaicovid_mm.evaluation.metrics import DiagnosisMetric, InfectionMetric
from xaicovid_mm.evaluation.metrics.slice_records import shared_class, shared_pixels
from xaicovid_mm.evaluation.referral import Doubt, referral_report, scan_doubts
from xaicovid_mm.evaluation.slice_scores import read_rows


def test_of_two_predictions_it_is_the_total_variation_and_one_less_the_dice():
    torch.manual_seed(0)
    scores, prob = torch.rand(2, 3, dtype=torch.float64).softmax(1), torch.rand(2, 9, 9)
    half_l1 = cdist(scores[:1], scores[1:], 'cityblock')[0, 0] / 2
    row = shared_pixels(prob > 0.4) | {'shared_class': shared_class(scores)}
    found = scan_disagreement([row], [row])
    assert found.wrong_class == pytest.approx(half_l1)
    assert found.missed_mask == pytest.approx(dice(*(prob > 0.4).flatten(1).numpy()))


def test_slices_of_a_scan_are_pooled_for_the_mask_and_averaged_for_the_class():
    rows = [
        dict(shared_px='3', view_px='4.0', shared_class='0.9'),
        dict(shared_px='0', view_px='2.0', shared_class='0.5'),
    ]
    assert scan_disagreement(rows, rows) == pytest.approx((0.3, 0.5))


def test_empty_masks_agree_and_a_single_prediction_has_no_disagreement():
    empty = dict(shared_px=0, view_px=0, shared_class=1)
    assert scan_disagreement([empty], [empty]) == (0, 0)
    assert scan_disagreement([{}], [{}]) is None


def test_the_metrics_write_what_the_disagreement_needs_and_look_inside_the_lungs_only(tmp_path):
    both = torch.zeros(2, 4, 4)
    both[:, 0], both[1, 1], both[1, 3] = 0.9, 0.9, 0.9  # the last row is not lung
    lung = torch.ones(1, 4, 4, dtype=torch.bool)
    lung[0, 3] = False
    sample = dict(
        sample_id='c/0', case='c', patient='p', site='s', pixel_mm=None, lung=lung,
        prob=both.mean(0, keepdim=True), view_prob=both, infection=(both[:1] > 0).byte(),
        label=torch.tensor(2), scores=torch.tensor([0.2, 0.2, 0.6]),
        view_scores=torch.tensor([[0.3, 0.1, 0.6], [0.1, 0.3, 0.6]]),
    )  # fmt: skip
    rows = []
    for metric, name in ((InfectionMetric, 'seg.csv'), (DiagnosisMetric, 'cls.csv')):
        metric = metric(out_file=str(tmp_path / name))
        metric.process({}, [sample])
        metric.evaluate(1)
        rows.append(read_rows(tmp_path / name))
    (scan,) = scan_doubts(*rows)
    assert scan['disagreement'] == pytest.approx((0.2, 1 - 4 / 6))


def scan(k, doubt, disagreement, wrong):
    return dict(
        patient=f'p{k}', doubt=Doubt(doubt, k / 20, 0), disagreement=Disagreement(disagreement, 0),
        wrong_class=wrong, missed_mask=wrong,
    )  # fmt: skip


def test_the_report_sets_the_score_that_orders_errors_beside_the_one_that_does_not():
    scans = [scan(k, 0.5, k / 10, int(k > 6)) for k in range(9)]
    found = referral_report(scans)['wrong_class']
    assert found['aurc'] == pytest.approx(found['risk'])
    other = found['disagreement']
    assert other['excess_aurc'] == pytest.approx(0) and other['low'] <= other['aurc']
    assert found['parts']['conflict'] == pytest.approx(found['risk'])  # all the same
    masks = referral_report(scans)['missed_mask']
    assert masks['excess_aurc'] == pytest.approx(0)  # the doubt in the mask orders them
    assert masks['disagreement']['aurc'] == pytest.approx(masks['risk'])  # this one is all 0
    assert found['parts']['mask'] == other['parts']['wrong_class'] == pytest.approx(other['aurc'])
    assert other['less_doubt']['aurc'] == pytest.approx(other['aurc'] - found['aurc'])
    assert other['less_doubt']['low'] < other['less_doubt']['aurc'] < other['less_doubt']['high']


def test_scans_of_one_prediction_have_the_doubt_alone():
    scans = [scan(k, 0.5, 0, 1) | dict(disagreement=None) for k in range(9)]
    assert 'disagreement' not in referral_report(scans)['wrong_class']
