"""How good a source of pseudo labels is."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from xaicovid_mm.evaluation.pseudo_label_scores import PseudoLabelScores


def quality_of(*slices):
    quality = PseudoLabelScores()
    for prob, mask, case in slices:
        quality.add(np.asarray(prob, np.float32), np.asarray(mask), case)
    return quality.scores()


def test_it_is_dice_at_one_half_and_at_the_best_threshold():
    found = quality_of(
        ([[0.42, 0.42, 0.22, 0.0]], [[1, 1, 0, 0]], 'a'), ([[0, 0, 0.9, 0]], [[0, 0, 0, 0]], 'b')
    )
    assert found['dice_infected_volume_mean'] == 0
    assert found['dice_infected_volume_mean_oracle_threshold'] == 1
    assert 0.2 < found['oracle_threshold'] < 0.42


def test_the_slices_of_a_volume_are_counted_together():
    found = quality_of(
        ([[0.9, 0.1]], [[1, 1]], 'a'), ([[0.9, 0.9]], [[1, 0]], 'a'), ([[0, 0]], [[0, 0]], 'b')
    )
    assert found['dice_infected_volume_mean'] == pytest.approx(4 / 6)
    assert found['dice_volume_mean'] == pytest.approx((4 / 6 + 1) / 2)
    assert found['dice_global'] == pytest.approx(4 / 6)


def test_exactly_one_half_is_background():
    found = quality_of(([[0.5, 0.501]], [[0, 1]], 'a'))
    assert found['dice_global'] == 1


@pytest.mark.parametrize('seed', range(3))
def test_sklearn_agrees_on_dice_and_average_precision(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((2, 16, 16)) < 0.2
    prob = np.clip(0.5 * mask + rng.normal(0.3, 0.2, mask.shape), 0, 1)
    found = quality_of(*zip(prob, mask, 'ab', strict=True))
    dice = f1_score(mask.ravel(), prob.ravel() > 0.5)
    assert found['dice_global'] == pytest.approx(dice)
    area = average_precision_score(mask.ravel(), prob.ravel())
    assert found['average_precision'] == pytest.approx(area, abs=2e-3)


def test_tied_pixels_are_no_better_than_chance():
    found = quality_of((np.full((4, 5), 0.25), np.arange(20).reshape(4, 5) < 5, 'a'))
    assert found['average_precision'] == 0.25


def test_without_infection_only_what_needs_none_is_said():
    assert quality_of(([[0, 0]], [[0, 0]], 'a')) == dict(dice_volume_mean=1.0, dice_global=1.0)
    assert quality_of() == {}


def test_pixels_outside_the_lungs_count_for_dice_alone():
    prob = np.array([[0.9, 0.1, 0.0, 0.0]], np.float32)
    mask, lung = np.array([[1, 0, 1, 0]]), np.array([[True, True, False, False]])
    scores = PseudoLabelScores()
    scores.add(prob, mask, 'a', lung)
    found = scores.scores()
    assert found['average_precision'] == 1  # inside, the one infected pixel is found first
    assert found['dice_infected_volume_mean'] == pytest.approx(2 / 3)  # outside, one is missed


def test_the_calibration_error_by_hand():
    # bin 0.2 to 0.3: 4 pixels at 0.25, half of them infected; bin 0.9 to 1: 4 at 0.95, all infected
    prob = np.array([[0.25] * 4 + [0.95] * 4])
    mask = np.array([[1, 1, 0, 0] + [1] * 4])
    assert quality_of((prob, mask, 'a'))['calibration_error'] == pytest.approx(0.15, abs=1e-3)


def test_probabilities_that_hold_have_no_calibration_error():
    rng = np.random.default_rng(0)
    prob = rng.random((400, 400))
    found = quality_of((prob, rng.random((400, 400)) < prob, 'a'))
    assert found['calibration_error'] < 0.01
