"""Distances between outlines are in mm and mean what their names say."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from xaicovid_mm.evaluation.surface_scores import TOLERANCE_MM, SurfaceScores, surface_scores


def box(rows, columns, side=12):
    mask = np.zeros((side, side), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_a_box_moved_by_two_pixels_is_off_by_their_size_in_mm():
    one, moved = box((2, 6), (3, 4)), box((2, 6), (5, 6))
    assert surface_scores(moved, one, (1, 1.5)) == (1.0, 3.0)
    assert surface_scores(moved, one, (1, 1.6)) == (0.0, pytest.approx(3.2))


def test_only_outlines_count():
    full, hollow = box((2, 9), (2, 9)), box((2, 9), (2, 9)) & ~box((4, 7), (4, 7))
    nsd, hd95 = surface_scores(full, hollow, (5, 5))
    outer, inner = 24, 12  # pixels around the box, and around its hole (4-neighbours)
    assert nsd == pytest.approx((outer + outer) / (outer + outer + inner))
    assert hd95 == pytest.approx(5)


def test_what_was_not_found_has_no_distance_and_no_near_outline():
    nsd, hd95 = surface_scores(box((0, 0), (0, 0)), box((2, 6), (2, 6)), (1, 1))
    assert nsd == 0 and np.isnan(hd95)


def test_an_empty_truth_is_refused():
    with pytest.raises(ValueError, match='true mask is empty'):
        surface_scores(box((2, 6), (2, 6)), box((0, 0), (0, 0)), (1, 1))


@pytest.mark.parametrize('seed', range(8))
def test_monai_finds_the_same(seed):
    rng = np.random.default_rng(seed)
    blurred = rng.normal(size=(2, 24, 24)).cumsum(1).cumsum(2)
    found, true = blurred > np.quantile(blurred, 0.6, axis=(1, 2), keepdims=True)
    pixel_mm = tuple(rng.uniform(0.5, 4, 2).tolist())

    nsd, hd95 = surface_scores(found, true, pixel_mm)

    y_pred, y = (torch.from_numpy(mask)[None, None].float() for mask in (found, true))
    theirs = dict(y_pred=y_pred, y=y, include_background=True, spacing=pixel_mm)
    assert hd95 == pytest.approx(compute_hausdorff_distance(**theirs, percentile=95).item(), 1e-6)
    share = compute_surface_dice(**theirs, class_thresholds=[TOLERANCE_MM])
    assert nsd == pytest.approx(share.item(), 1e-6)


def test_averages_leave_out_what_is_not_defined():
    nsd, hd95 = np.array([1, 0.5, 0, np.nan]), np.array([0, 4, np.nan, np.nan])
    score = SurfaceScores(nsd, hd95, ['a', 'b', 'b', 'c'])
    assert score(np.ones(3)) == dict(
        nsd_3mm_infected_slice_mean=0.5, hd95_mm_hit_slice_mean=2, hit_slice_share=2 / 3
    )
    assert score(np.array([0, 0, 1])) == {}
    assert score(np.array([3, 1, 1]))['nsd_3mm_infected_slice_mean'] == 3.5 / 5
