"""Scores of where a map lies."""

import numpy as np
import pytest

from xaicovid_mm.evaluation.explanation.localisation import LOCALISATION, localisation_scores
from xaicovid_mm.evaluation.explanation.map_status import (
    FLAT,
    NO_LUNG,
    NOT_FINITE,
    OK,
    SATURATED,
    map_status,
)


def test_scores_by_hand():
    values = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    target = np.array([True, False, True, False, False])
    assert localisation_scores(values, target) == pytest.approx(
        dict(
            auc=5 / 6,  # of the 2 x 3 pairs one is in the wrong order
            average_precision=(1 / 1 + 2 / 3) / 2,
            pointing_game=1.0,
            relevance_mass_accuracy=6 / 10,
            relevance_rank_accuracy=1 / 2,  # the two largest are one hit and one miss
        )
    )


@pytest.mark.parametrize('level', [0.0, 0.7])
def test_a_blank_map_scores_what_chance_gives(level):
    target = np.arange(10) < 3
    scores = localisation_scores(np.full(10, level), target)
    share = dict.fromkeys(LOCALISATION, 0.3) | dict(auc=0.5)
    if not level:
        del share['relevance_mass_accuracy']  # nothing to share
    assert scores == pytest.approx(share)


def test_the_unit_of_a_map_does_not_count():
    rng = np.random.default_rng(0)
    values, target = rng.random(200), rng.random(200) < 0.2
    assert localisation_scores(values * 1e-9, target) == pytest.approx(
        localisation_scores(values, target)
    )


@pytest.mark.parametrize('share', [0, 1])
def test_without_a_target_or_with_nothing_else_there_is_no_score(share):
    assert localisation_scores(np.arange(4.0), np.full(4, bool(share))) == {}


@pytest.mark.parametrize('bad', [np.nan, np.inf, -1.0])
def test_a_map_that_is_not_finite_or_negative_is_refused(bad):
    with pytest.raises(ValueError, match='not finite or negative'):
        localisation_scores(np.array([1.0, bad]), np.array([True, False]))


@pytest.mark.parametrize(
    'values, status',
    [
        ([], NO_LUNG),
        ([0, 0, 0], FLAT),
        ([5, 5, 5], FLAT),
        ([0, np.nan, 1], NOT_FINITE),
        ([0, np.inf, 1], NOT_FINITE),
        ([1, 1, 1, 0.5], SATURATED),
        ([1, 0, 0.5], OK),
        ([1e-12, 0, 3e-13], OK),  # small, but it says something
    ],
)
def test_the_status_says_whether_a_map_says_anything(values, status):
    assert map_status(np.array(values, float)) == status
