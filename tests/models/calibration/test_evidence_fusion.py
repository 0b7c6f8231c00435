"""A posterior that is fitted on true masks."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from xaicovid_mm.models.calibration import EvidenceFusion
from xaicovid_mm.models.calibration.evidence_fusion import SOURCES, _level_of_decoder


def world(seed=0, patients=4, pixels=4000, useful=()):
    """Logits of four sources, of which the decoder and the ``useful`` ones know something."""
    rng = np.random.default_rng(seed)
    masks = rng.random(patients * pixels) < 0.1
    logits = rng.normal(size=(len(masks), 4))
    for name in ('prob', *useful):
        logits[:, SOURCES.index(name)] += 1.5 * masks - 2
    return logits, masks, np.repeat([f'p{k}' for k in range(patients)], pixels)


def maps(value=0.5, side=8):
    return [torch.full((2, 1, side, side), value) for _ in range(3)]


def test_before_the_fit_it_is_the_sharpened_decoder():
    caam, saliency, prob = torch.rand(3, 2, 1, 8, 8)
    mask = EvidenceFusion(temperature=0.5)(caam, saliency, prob, torch.rand(2))
    torch.testing.assert_close(mask, prob**2 / (prob**2 + (1 - prob) ** 2), atol=1e-3, rtol=0)


def test_the_weights_are_those_of_a_logistic_regression():
    logits, masks, names = world(useful=('caam', 'saliency', 'covid'))
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    oracle = LogisticRegression(C=1 / (1e-3 * len(masks))).fit(logits, masks)
    np.testing.assert_allclose(fusion.weights, oracle.coef_[0], atol=0.01)


@pytest.mark.parametrize('seed', range(3))
def test_sources_that_know_nothing_hardly_count(seed):
    logits, masks, names = world(seed)
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    decoder = fusion.weights[SOURCES.index('prob')]
    assert all(w <= 0.05 * decoder for w in np.delete(fusion.weights, SOURCES.index('prob')))


def test_a_source_that_speaks_against_the_truth_has_the_weight_zero():
    logits, masks, names = world(useful=('caam',))
    logits[:, 0] *= -1
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    assert fusion.weights[0] == 0 and min(fusion.weights) >= 0


@pytest.mark.parametrize('sign', [-1, 1])
def test_a_constant_source_has_the_weight_zero(sign):
    """With as many pixels as a fit has, the float32 mean of a constant is off by its rounding."""
    logits, masks, names = world(patients=4, pixels=50_000, useful=('saliency',))
    logits = logits.astype(np.float32)
    logits[:, 0] = sign * np.log(1e-4 / (1 - 1e-4))
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    assert fusion.weights[0] == 0 and fusion.weights[1] > 0.1


def test_the_best_dice_lies_at_one_half():
    logits, masks, names = world(useful=('saliency',))
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    scores = logits @ np.array(fusion.weights) + fusion.offset

    def dice(cut):
        found, parts = scores > cut, [names == name for name in np.unique(names)]
        return np.mean(
            [2 * (found & masks)[p].sum() / (found[p].sum() + masks[p].sum()) for p in parts]
        )

    cuts = np.linspace(scores.min(), scores.max(), 200)
    assert dice(0.0) >= max(map(dice, cuts)) - 0.002


def test_a_decoder_whose_level_is_right_stays_as_it_is():
    rng = np.random.default_rng(0)
    logits, names = rng.normal(size=(4000, 4)), np.repeat(['p0', 'p1'], 2000)
    masks = logits[:, 2] > 0
    fusion = EvidenceFusion()
    said = fusion.fit(logits, masks, names)
    assert said.startswith('decoder as it is') and fusion.weights == [0, 0, 1, 0]


def test_at_the_level_of_the_decoder_as_many_pixels_are_infected():
    logits, masks, names = world(useful=('caam', 'saliency'))
    weights = np.array([0.7, 0.4, 0.9, 0.0])
    two = [names == 'p0', names == 'p2']
    offset = _level_of_decoder(weights, logits, masks, two)
    found = logits @ weights + offset > 0
    inside = two[0] | two[1]
    assert abs(found[inside].sum() - (logits[inside, 2] > 0).sum()) <= 1


def test_a_source_that_helps_one_patient_alone_is_left_out():
    logits, masks, names = world(patients=2)
    first = names == 'p0'
    logits[:, 0] = np.where(first, 8.0 * masks - 4, -8.0 * masks + 4)
    logits[first, 0] *= 1.5
    fusion = EvidenceFusion()
    said = fusion.fit(logits, masks, names)
    assert fusion.weights[0] == 0 and fusion.weights[2] > 0, said


def test_a_source_may_be_left_out():
    logits, masks, names = world(useful=('caam', 'saliency'))
    fusion = EvidenceFusion(sources=('caam', 'prob', 'covid'))
    fusion.fit(logits, masks, names)
    assert fusion.weights[1] == 0 and fusion.weights[0] > 0.1


def test_one_patient_is_not_enough_to_trust_the_other_maps():
    logits, masks, names = world(patients=1, useful=('caam',))
    fusion = EvidenceFusion()
    said = fusion.fit(logits, masks, names)
    assert said.startswith('decoder as it is')
    assert fusion.weights == [0, 0, 1, 0] and fusion.offset == 0


def test_without_infection_it_says_so_and_falls_back_to_the_decoder():
    logits, masks, names = world()
    fusion = EvidenceFusion()
    fusion.fit(logits, masks, names)
    said = fusion.fit(logits, np.zeros_like(masks), names)
    assert 'infection' in said
    assert (fusion.weights, fusion.offset) == ([0, 0, 1, 0], 0)
    fusion.fit(logits[:0], masks[:0], names[:0])
    assert fusion.weights == [0, 0, 1, 0]


def test_a_sure_decoder_is_hardly_overruled():
    logits, masks, names = world(useful=('caam', 'saliency'))
    fusion = EvidenceFusion(blur=0.0)
    fusion.fit(logits, masks, names)
    caam, saliency, prob = maps()
    caam[:], saliency[:], prob[:] = 0.2, 0.2, 1 - 1e-6
    assert min(fusion.weights[:3]) > 0  # all three have a say
    assert fusion(caam, saliency, prob).min() > 0.5


def test_the_saliency_is_smoothed_before_it_counts():
    saliency = torch.zeros(1, 1, 16, 16)
    saliency[..., 8, 8] = 1.0
    flat = torch.full_like(saliency, 0.5)
    logits = EvidenceFusion(blur=0.2).logits(flat, saliency, flat)
    smooth = logits[0, 1].sigmoid()
    torch.testing.assert_close(smooth[7:10, 7:10], torch.full((3, 3), 1 / 9))
    assert logits[:, 3].abs().max() == 0  # no covid given: 0.5


@pytest.mark.parametrize(
    'wrong',
    [
        dict(temperature=0),
        dict(blur=1.0),
        dict(blur=-0.1),
        dict(sources=('prob', 'shape')),
        dict(sources=('caam',)),
    ],
)
def test_nonsense_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EvidenceFusion(**wrong)
