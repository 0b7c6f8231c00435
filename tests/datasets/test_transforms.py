"""Views of a slice."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as TF

from xaicovid_mm.datasets import IntensityJitter, KeepOneLung, RandomGeometry, StrongView
from xaicovid_mm.datasets.transforms.strong_view import adjust_contrast, adjust_sharpness

IMAGE = np.array([[0, 0.2, 0.4], [0.2, 0.9, 0.2], [0.4, 0.2, 0]], np.float32)


def results(seed=0, labelled=False, side=32, label=2):
    lung = np.zeros((side, side), bool)
    lung[6:26, 4:14] = lung[6:26, 18:28] = True
    infection = np.zeros((side, side), np.uint8)
    infection[10:16, 6:12] = 1
    image = np.where(lung, 0.3, 0).astype(np.float32) + 0.5 * infection.astype(np.float32)
    rng = np.random.default_rng(seed)
    return dict(
        image=image, lung=lung, infection=infection, label=label, is_labelled=labelled, rng=rng
    )


def test_contrast_by_hand():
    changed = adjust_contrast(IMAGE, 0.5)
    assert changed[1, 1] == pytest.approx(0.5888888889)
    assert changed[0, 0] == pytest.approx(0.1388888889)
    assert changed[0, 2] == pytest.approx(0.3388888889)


@pytest.mark.parametrize('factor, centre', [(0, 0.4692307692), (0.5, 0.6846153846), (2, 1.0)])
def test_sharpness_by_hand(factor, centre):
    changed = adjust_sharpness(IMAGE, factor)
    assert changed[1, 1] == pytest.approx(centre)
    assert changed[0, 1] == pytest.approx(0.2)  # the border is kept


@pytest.mark.parametrize('factor', [0.05, 0.5, 0.95])
def test_torchvision_agrees(factor):
    image = np.random.default_rng(0).random((16, 16), np.float32)
    theirs = torch.from_numpy(image)[None]
    np.testing.assert_allclose(
        adjust_sharpness(image, factor), TF.adjust_sharpness(theirs, factor)[0], atol=1e-6
    )
    np.testing.assert_allclose(
        adjust_contrast(image, factor), TF.adjust_contrast(theirs, factor)[0], atol=1e-6
    )


def test_a_factor_of_one_changes_nothing():
    view = StrongView(contrast=(1, 1), sharpness=(1, 1)).transform(results())
    np.testing.assert_allclose(view['strong'], view['image'], atol=1e-6)


NEUTRAL = dict(contrast=(1, 1), sharpness=(1, 1))


def strong(**settings):
    view = StrongView(**{**NEUTRAL, **settings}).transform(results())
    return view['strong'], view['image'], view['lung']


def test_contrast_is_about_the_mean_of_the_lungs():
    changed, image, lung = strong(contrast=(0.0, 0.0))
    np.testing.assert_allclose(changed[lung], image[lung].mean(), rtol=1e-5)


def test_gamma_brightness_and_blur_do_what_their_names_say():
    changed, image, lung = strong(gamma=(2, 2))
    np.testing.assert_allclose(changed, image**2, atol=1e-6)
    changed, image, lung = strong(brightness=(0.5, 0.5))
    np.testing.assert_allclose(changed, image / 2, atol=1e-6)
    changed, image, lung = strong(blur_px=(1, 1))
    assert changed[lung].std() < image[lung].std() and not changed[~lung].any()


def test_noise_lies_inside_the_lungs_alone():
    changed, image, lung = strong(noise_std=(0.1, 0.1))
    assert (changed - image)[lung].std() == pytest.approx(0.1, rel=0.2)
    assert not changed[~lung].any()
    grey, image, lung = strong(noise_std=(0.1, 0.1), remask=False)
    np.testing.assert_array_equal(grey[~lung], image[~lung])


@pytest.mark.parametrize('seed', range(4))
def test_the_strong_view_stays_between_0_and_1(seed):
    wild = StrongView((0.5, 1.5), (0.5, 2), (0.5, 2), (0.7, 1.3), (0, 2), (0, 0.2))
    view = wild.transform(results(seed))['strong']
    assert view.dtype == np.float32 and 0 <= view.min() and view.max() <= 1


def test_the_strong_view_stays_black_outside_unless_told_otherwise():
    masked, grey = (StrongView(remask=r).transform(results()) for r in (True, False))
    assert not masked['strong'][~masked['lung']].any()
    assert grey['strong'][~grey['lung']].all()


def test_labelled_slices_have_no_strong_view():
    assert 'strong' not in StrongView().transform(results(labelled=True))


@pytest.mark.parametrize('seed', range(5))
def test_geometry_moves_everything_alike(seed):
    moved = RandomGeometry(0.5, (-15, 15), (0.8, 1.2), 0.1).transform(results(seed))
    bright = moved['image'] > 0.6
    overlap = (bright & (moved['infection'] > 0)).sum() / max(bright.sum(), 1)
    assert overlap > 0.9 and moved['infection'].sum() > 10
    assert not moved['image'][~moved['lung']].any()


def test_neutral_geometry_and_a_certain_flip_are_exact():
    before, after = results(), RandomGeometry(flip_prob=1.0).transform(results())
    np.testing.assert_array_equal(after['infection'], before['infection'][:, ::-1])
    np.testing.assert_allclose(after['image'], before['image'][:, ::-1], atol=1e-6)


def test_neutral_jitter_changes_nothing():
    np.testing.assert_allclose(
        IntensityJitter().transform(results())['image'], results()['image'], atol=1e-6
    )


def test_jitter_stays_between_0_and_1_and_black_outside():
    changed = IntensityJitter((0.5, 2), (0.5, 2), (0.1, 0.2)).transform(results())
    assert 0 <= changed['image'].min() and changed['image'].max() <= 1
    assert not changed['image'][~changed['lung']].any()


def test_a_lesion_free_lung_of_a_sick_patient_is_an_np_slice():
    seen = set()
    for seed in range(12):
        half = KeepOneLung(prob=1.0).transform(results(seed, labelled=True))
        sick = bool(half['infection'].any())
        assert half['label'] == (2 if sick else 0)
        assert half['lung'].sum() == 200 and not half['image'][~half['lung']].any()
        seen.add(sick)
    assert seen == {True, False}


def test_a_trace_of_infection_leaves_the_class_open():
    for seed in range(8):
        half = KeepOneLung(prob=1.0, min_infection_px=100).transform(results(seed, labelled=True))
        assert half['label'] == (None if half['infection'].any() else 0)


def test_other_classes_keep_their_class_and_unlabelled_slices_both_lungs():
    assert KeepOneLung(prob=1.0).transform(results(labelled=True, label=1))['label'] == 1
    whole = KeepOneLung(prob=1.0).transform(results(labelled=False))
    assert whole['lung'].sum() == 400
