"""Insertion, deletion, ROAD, and what takes the place of the pixels."""

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.explanation.faithfulness import faithfulness_scores
from xaicovid_mm.evaluation.explanation.lung_filling import NOISE, impute
from xaicovid_mm.explain.lung_blur import blurred_lung

SIDE = 24


def corner(images):
    """Logits of a network that looks at one bright corner alone."""
    bright = images[:, 0, 4:8, 4:8].mean((1, 2)) * 20 - 8
    return torch.stack([torch.zeros_like(bright), bright], 1)


@pytest.fixture(scope='module')
def scene():
    rng = torch.Generator().manual_seed(0)
    images = torch.zeros(1, 1, SIDE, SIDE)
    images[..., 2:22, 2:22] = 0.3 + 0.02 * torch.rand(20, 20, generator=rng)
    images[..., 4:8, 4:8] = 0.8
    right, wrong = torch.zeros(2, 1, 1, SIDE, SIDE)
    right[..., 4:8, 4:8], wrong[..., 14:18, 14:18] = 1, 1
    return images, images > 0, torch.tensor([1]), right, wrong


def test_the_map_that_names_what_the_network_reads_is_the_faithful_one(scene):
    *slices, right, wrong = scene
    (good,), (bad,) = (faithfulness_scores(corner, *slices, maps) for maps in (right, wrong))
    assert good['deletion_auc'] < bad['deletion_auc']
    assert good['insertion_auc'] > bad['insertion_auc']
    assert good['road'] > 0.1 > bad['road']
    assert good['infidelity'] <= bad['infidelity']


@pytest.mark.parametrize('unit', [1e-30, 1e-3, 1e30])
def test_the_unit_of_a_map_does_not_count_and_the_same_seed_gives_the_same(scene, unit):
    *slices, right, _ = scene
    one, other = (faithfulness_scores(corner, *slices, m)[0] for m in (right, unit * right))
    assert one == pytest.approx(other, rel=1e-4, abs=1e-5)


def test_no_slices_have_no_scores():
    none = torch.zeros(0, 1, 8, 8)
    found = faithfulness_scores(corner, none, none > 0, torch.zeros(0, dtype=torch.long), none)
    assert found == []


def test_a_slice_without_lung_has_no_scores():
    images = torch.zeros(1, 1, SIDE, SIDE)
    assert faithfulness_scores(corner, images, images > 0, torch.tensor([1]), images) == [{}]


def test_the_blur_takes_nothing_from_outside_the_lungs(scene):
    images, lung, *_ = scene
    flat = torch.where(lung, 0.4, 0.0)
    blurred = blurred_lung(flat, lung)
    torch.testing.assert_close(blurred, flat)  # a black border would darken the rim
    bright_outside = torch.where(lung, images, 1.0)
    torch.testing.assert_close(blurred_lung(bright_outside, lung), blurred_lung(images, lung))


def test_imputed_pixels_continue_what_lies_around_them():
    y, x = np.mgrid[:SIDE, :SIDE]
    ramp, lung = 0.2 + 0.01 * x + 0.02 * y, np.ones((SIDE, SIDE), bool)
    removed = (y > 6) & (y < 14) & (x > 6) & (x < 14)
    filled = impute(ramp, lung, removed, np.random.default_rng(0))
    assert np.abs(filled - ramp).max() < 5 * NOISE  # linear functions are their neighbours' mean
    np.testing.assert_array_equal(filled[~removed], ramp[~removed])


def test_imputing_reads_no_pixel_outside_the_lungs_and_no_removed_one():
    image = np.full((SIDE, SIDE), 0.5)
    lung = np.zeros_like(image, bool)
    lung[4:20, 4:20] = True
    removed = np.zeros_like(lung)
    removed[4:20, 4:12] = True
    image[~lung], image[removed] = 100.0, -100.0
    filled = impute(image, lung, removed, np.random.default_rng(0))
    assert np.abs(filled[lung] - 0.5).max() < 5 * NOISE
    all_gone = impute(np.full_like(image, 0.5), lung, lung, np.random.default_rng(0))
    assert np.abs(all_gone[lung] - 0.5).max() < 5 * NOISE
