"""Eqs. (8), (9) and (10)."""

import pytest
import torch

from xaicovid_mm.models.calibration import SharpenCombination as Combination


def SharpenCombination(*args, stretch=False, **kwargs):
    """As in the paper, unless a test asks for more."""
    return Combination(*args, stretch=stretch, **kwargs)


def pixels(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


CAAM, SALIENCY, PROB = pixels(0.9, 0.1), pixels(0.6, 0.2), pixels(0.8, 0.3)


@pytest.mark.parametrize(
    'norm, expected',
    [
        ('image_rms', (0.8420060817, 0.1237619461)),
        ('pixel_l2', (0.6706856621, 0.3090832484)),
        ('image_l2', (0.6227100395, 0.3603618696)),
        ('none', (0.7317931342, 0.2393055090)),
    ],
)
def test_two_pixels_by_hand(norm, expected):
    mask = SharpenCombination(norm=norm)(CAAM, SALIENCY, PROB)
    torch.testing.assert_close(mask, pixels(*expected), atol=2e-7, rtol=0)


@pytest.mark.parametrize(
    'norm, expected',
    [
        ('image_rms', (0.6977518908, 0.2731619318)),
        ('pixel_l2', (0.5879855420, 0.4007828379)),
        ('image_l2', (0.5623078049, 0.4287637172)),
        ('none', (0.6228986052, 0.3593364265)),
    ],
)
def test_temperature_one_leaves_the_weighted_vote(norm, expected):
    mask = SharpenCombination(temperature=1, norm=norm)(CAAM, SALIENCY, PROB)
    torch.testing.assert_close(mask, pixels(*expected), atol=2e-7, rtol=0)


def test_one_fifth_sharpened_by_one_half_is_one_seventeenth():
    only = SharpenCombination((0, 0, 1), temperature=1, norm='none', p_form='logit')
    sharp = SharpenCombination((0, 0, 1), temperature=0.5, norm='none', p_form='logit')
    prob = pixels(0.2, 0.8)
    torch.testing.assert_close(only(prob, prob, prob), prob)
    torch.testing.assert_close(sharp(prob, prob, prob), pixels(1 / 17, 16 / 17))


@pytest.mark.parametrize(
    'p_form, pattern, expected',
    [
        ('prob', (0.05, 0.0, -8.0), 0.057),
        ('prob', (0.9, 0.6, 4.0), 0.853),
        ('prob', (0.9, 0.8, -4.0), 0.571),
        ('prob', (0.0, 0.0, 4.0), 0.331),
        ('logit', (0.9, 0.8, -4.0), 0.345),
        ('logit0', (0.0, 0.0, 4.0), 0.601),
    ],
)
def test_typical_pixels_of_a_slice_that_is_mostly_background(p_form, pattern, expected):
    caam, saliency, logit = (torch.full((1, 1, 100, 100), v) for v in (0.05, 0.0, -8.0))
    caam[..., :3, :], saliency[..., :3, :], logit[..., :3, :] = 0.9, 0.6, 4.0
    for maps, value in zip((caam, saliency, logit), pattern, strict=True):
        maps[..., 50, 50] = value
    mask = SharpenCombination(p_form=p_form)(caam, saliency, logit.sigmoid())
    assert mask[0, 0, 50, 50].item() == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize('norm', ['image_rms', 'batch_rms', 'image_l2', 'none'])
def test_stretched_labels_reach_0_and_1_and_keep_one_half(norm):
    torch.manual_seed(0)
    maps = torch.rand(3, 2, 1, 6, 6)
    maps[..., 0, 0], maps[..., 1, 1], maps[..., 2, 2] = 0, 1, 0.5
    plain, stretched = (Combination(norm=norm, stretch=s)(*maps) for s in (False, True))
    torch.testing.assert_close(stretched[..., 0, 0], torch.zeros(2, 1))
    torch.testing.assert_close(stretched[..., 1, 1], torch.ones(2, 1))
    torch.testing.assert_close(stretched[..., 2, 2], torch.full((2, 1), 0.5))
    assert torch.equal(stretched.flatten(1).argsort(1), plain.flatten(1).argsort(1))


def test_stretching_by_hand():
    # two pixels of the first test; agreed background of that slice is sigmoid(-2 / 0.5845226058)
    floor = torch.sigmoid(torch.tensor(-2 / 0.5845226058, dtype=torch.float64))
    expected = (pixels(0.8420060817, 0.1237619461) - floor) / (1 - 2 * floor)
    torch.testing.assert_close(Combination()(CAAM, SALIENCY, PROB), expected, atol=2e-7, rtol=0)
    assert Combination().background_floor() == 0


def test_a_common_factor_of_the_weights_cancels():
    paper, unit = SharpenCombination((0.3, 0.4, 0.4)), SharpenCombination((3, 4, 4))
    torch.testing.assert_close(paper(CAAM, SALIENCY, PROB), unit(CAAM, SALIENCY, PROB))


def test_a_lower_temperature_moves_labels_away_from_one_half():
    soft, sharp = (SharpenCombination(temperature=t)(CAAM, SALIENCY, PROB) for t in (1.0, 0.3))
    assert ((sharp - 0.5).abs() > (soft - 0.5).abs()).all()
    assert ((sharp > 0.5) == (soft > 0.5)).all()


def test_the_literal_norm_makes_every_label_one_half():
    ones = torch.ones(1, 1, 224, 224)
    assert SharpenCombination(norm='image_l2')(ones, ones, ones).max().item() == pytest.approx(
        0.5012887254
    )
    assert SharpenCombination()(ones, ones, ones).min().item() == pytest.approx(0.9441927793)


def test_agreed_background_is_labelled_a_little_above_zero():
    assert SharpenCombination().background_floor() == pytest.approx(0.0558072207)
    assert SharpenCombination(norm='pixel_l2').background_floor() == pytest.approx(0.2396315582)


@pytest.mark.parametrize('norm, alike', [('image_rms', True), ('batch_rms', False)])
def test_the_label_of_a_slice_is_the_same_alone_and_in_a_batch(norm, alike):
    torch.manual_seed(0)
    maps = torch.rand(3, 2, 1, 6, 6) * torch.tensor([1.0, 0.1]).view(1, 2, 1, 1, 1)
    combine = SharpenCombination(norm=norm)
    alone = combine(*maps[:, :1])
    assert torch.allclose(alone, combine(*maps)[:1], atol=1e-6) == alike


def test_a_map_of_weight_zero_has_no_say_at_all():
    combine = SharpenCombination((0.3, 0.0, 0.4))
    torch.testing.assert_close(combine(CAAM, SALIENCY, PROB), combine(CAAM, 1 - SALIENCY, PROB))


@pytest.mark.parametrize('temperature', [0.3, 0.5, 5.0])
def test_labels_that_are_not_stretched_stay_strictly_between_0_and_1(temperature):
    torch.manual_seed(0)
    combine = SharpenCombination(temperature=temperature)
    for maps in torch.rand(5, 3, 2, 1, 8, 8).round():
        mask = combine(*maps)
        assert (mask > 0).all() and (mask < 1).all()


@pytest.mark.parametrize(
    'wrong, named',
    [
        (dict(weights=(0, 0, 0)), '0, 0, 0'),
        (dict(weights=(1, -1, 1)), '-1'),
        (dict(temperature=0), 'temperature=0'),
        (dict(norm='l1'), 'l1'),
        (dict(p_form='odds'), 'odds'),
    ],
)
def test_nonsense_is_refused_by_name(wrong, named):
    with pytest.raises(ValueError, match=named):
        SharpenCombination(**wrong)
