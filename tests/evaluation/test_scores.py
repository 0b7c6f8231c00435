"""Every number means what its name says."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou
from sklearn.metrics import f1_score, jaccard_score, recall_score, roc_auc_score

from xaicovid_mm.evaluation.classification_scores import (
    ClassificationScores,
    classification_scores,
    patient_probs,
)
from xaicovid_mm.evaluation.segmentation_scores import SegmentationScores
from xaicovid_mm.utils.overlap import dice_iou, mask_dice

COUNTS = np.array([[80, 10, 10], [0, 0, 0], [0, 5, 0], [30, 10, 20], [0, 0, 0]])
CASES = ['A', 'A', 'A', 'B', 'B']
SCORES = np.array(
    [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.3, 0.2]]
    + [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.2, 0.6, 0.2]]
)
TRUTH = np.array([0, 1, 1, 2, 2, 0])


def scores_of(counts, cases, patients):
    return SegmentationScores(counts, cases, patients)()


def test_dice_and_iou_under_every_average_by_hand():
    found = scores_of(COUNTS, CASES, CASES)
    by_hand = dict(
        dice_slice_mean=0.7111111111,
        iou_slice_mean=0.66,
        dice_infected_slice_mean=7 / 9,
        iou_infected_slice_mean=0.65,
        dice_volume_mean=0.7657657658,
        iou_volume_mean=0.6309523810,
        dice_global=0.8,
        iou_global=2 / 3,
        empty_slice_share=0.6,
        empty_slice_perfect_share=2 / 3,
    )
    assert {k: found[k] for k in by_hand} == pytest.approx(by_hand)


@pytest.mark.parametrize('seed', range(5))
def test_dice_and_iou_are_monais_empty_masks_included(seed):
    rng = np.random.default_rng(seed)
    found, true = rng.random((2, 8, 1, 6, 6)) < rng.random((2, 8, 1, 1, 1)) * 0.5
    found[:3], true[2:5] = 0, 0  # nothing found, nothing there, and both in one slice
    counts = [
        [(f & t).sum(), (f & ~t).sum(), (~f & t).sum()] for f, t in zip(found, true, strict=True)
    ]
    both = torch.from_numpy(found).float(), torch.from_numpy(true).float()
    for column, measure in enumerate((compute_dice, compute_iou)):
        theirs = measure(*both, ignore_empty=False)[:, 0]
        np.testing.assert_allclose(dice_iou(counts)[:, column], theirs, atol=1e-6)
    dice = [mask_dice(f, t) for f, t in zip(found, true, strict=True)]
    assert dice == dice_iou(counts)[:, 0].tolist()


def test_a_draw_without_a_class_has_no_macro_score():
    """Over fewer classes it would be another score; in a draw with all it is the usual one."""
    score = ClassificationScores(TRUTH, SCORES)
    found = score(np.array([1, 0, 0, 1, 1, 1]))  # no CAP
    assert set(found) == {'accuracy', 'auc_NP', 'auc_COVID-19'}
    assert set(score(np.array([1, 0, 1, 1, 1, 1]))) > {'auc_macro', 'specificity_macro', 'auc_CAP'}


def test_two_volumes_of_a_patient_are_one_patient():
    found = scores_of(COUNTS, CASES, ['P'] * 5)
    assert found['dice_patient_mean'] == pytest.approx(0.8)


def test_globally_iou_is_dice_over_two_minus_dice():
    dice, iou = dice_iou(np.random.default_rng(0).integers(1, 50, (20, 3))).T
    np.testing.assert_allclose(iou, dice / (2 - dice))


def test_the_order_of_slices_does_not_matter():
    turned = scores_of(COUNTS[::-1], CASES[::-1], CASES[::-1])
    assert turned == pytest.approx(scores_of(COUNTS, CASES, CASES))


def test_a_patient_without_infection_is_no_infected_patient():
    found = scores_of(COUNTS[[0, 2]], ['A', 'C'], ['A', 'C'])
    assert found['dice_patient_mean'] == pytest.approx(4 / 9)
    assert found['dice_infected_patient_mean'] == pytest.approx(8 / 9)


@pytest.mark.parametrize('seed', range(3))
def test_sklearn_agrees_on_dice_and_iou(seed):
    rng = np.random.default_rng(seed)
    true, found = rng.random(500) < 0.3, rng.random(500) < 0.4
    counts = [(true & found).sum(), (found & ~true).sum(), (true & ~found).sum()]
    dice, iou = dice_iou(np.array(counts))
    assert dice == pytest.approx(f1_score(true, found))
    assert iou == pytest.approx(jaccard_score(true, found))


def test_an_empty_volume_left_empty_scores_one_and_an_infected_one_missed_scores_zero():
    found = scores_of(np.array([[0, 0, 0], [0, 0, 9]]), ['A', 'B'], ['A', 'B'])
    assert found['dice_volume_mean'] == found['iou_volume_mean'] == 0.5


def test_averages_over_nothing_are_left_out():
    assert scores_of(np.zeros((0, 3)), [], []) == {}
    healthy = scores_of(np.zeros((2, 3)), ['A', 'A'], ['A', 'A'])
    assert 'dice_infected_slice_mean' not in healthy and healthy['dice_global'] == 1
    sick = scores_of(np.array([[1, 1, 1]]), ['A'], ['A'])
    assert 'empty_slice_perfect_share' not in sick and sick['empty_slice_share'] == 0


@pytest.mark.parametrize('weights', [[1, 1], [2, 1], [0, 3]])
def test_a_patient_that_counts_twice_is_as_good_as_two_alike(weights):
    rows = np.repeat(np.arange(5), np.repeat(weights, [3, 2]))
    copies = [f'{CASES[i]}{n}' for i in range(5) for n in range(weights[i > 2])]
    found = SegmentationScores(COUNTS, CASES, CASES)(np.array(weights))
    assert found == pytest.approx(scores_of(COUNTS[rows], copies, copies))


def expand(matrix):
    pairs = [(t, p) for t in range(3) for p in range(3) for _ in range(matrix[t][p])]
    labels, found = np.array(pairs).T
    return labels, np.eye(3)[found]


def test_the_confusion_matrix_by_hand():
    found = classification_scores(*expand([[50, 6, 4], [10, 40, 10], [5, 5, 60]]))
    assert found['accuracy'] == pytest.approx(0.7894736842)
    assert found['sensitivity_macro'] == pytest.approx(0.7857142857)
    assert found['specificity_macro'] == pytest.approx(0.8944444444)


def test_auc_by_hand_and_by_sklearn():
    found = classification_scores(TRUTH, SCORES)
    areas = [found[f'auc_{name}'] for name in ('NP', 'CAP', 'COVID-19')]
    assert areas == pytest.approx([5.5 / 8, 5 / 8, 1.0])
    assert found['auc_macro'] == pytest.approx(0.7708333333)
    assert found['auc_macro'] == pytest.approx(roc_auc_score(TRUTH, SCORES, multi_class='ovr'))


def test_an_absent_class_gives_no_number():
    found = classification_scores(np.array([0, 2, 0, 2]), SCORES[[0, 3, 2, 4]])
    assert 'auc_CAP' not in found and 'auc_NP' in found
    assert found['auc_macro'] == pytest.approx((found['auc_NP'] + found['auc_COVID-19']) / 2)


def test_one_class_alone_has_an_accuracy_and_nothing_else():
    assert set(classification_scores(np.array([2, 2]), SCORES[:2])) == {
        'accuracy',
        'sensitivity_macro',
    }


def test_a_patients_probability_is_the_mean_of_its_slices():
    labels, probs = patient_probs(np.array([0, 0, 2, 2]), SCORES[:4], ['a', 'a', 'b', 'b'])
    assert labels.tolist() == [0, 2]
    np.testing.assert_allclose(probs, [[0.4, 0.4, 0.2], [0.3, 0.25, 0.45]])


def test_a_patient_of_two_classes_is_named():
    with pytest.raises(ValueError, match=r"'a'.*\[0, 1\]"):
        patient_probs(np.array([0, 1]), SCORES[:2], ['a', 'a'])


@pytest.mark.parametrize('seed', range(3))
def test_sklearn_agrees_on_the_diagnosis_with_ties_and_weights(seed):
    rng = np.random.default_rng(seed)
    labels, weights = rng.integers(0, 3, 60), rng.integers(1, 4, 60)
    probs = rng.integers(1, 5, (60, 3)) / 12  # coarse, so that there are ties
    found = ClassificationScores(labels, probs)(weights)
    areas = [roc_auc_score(labels == k, probs[:, k], sample_weight=weights) for k in range(3)]
    recall = recall_score(labels, probs.argmax(1), average='macro', sample_weight=weights)
    assert found['auc_macro'] == pytest.approx(np.mean(areas))
    assert found['sensitivity_macro'] == pytest.approx(recall)


def test_a_patient_score_by_hand():
    labels, probs = patient_probs(np.repeat([0, 1, 2], 2), SCORES, ['a', 'a', 'b', 'b', 'c', 'c'])
    np.testing.assert_allclose(probs, [[0.4, 0.4, 0.2], [0.3, 0.25, 0.45], [0.25, 0.45, 0.3]])
    assert labels.tolist() == [0, 1, 2]
