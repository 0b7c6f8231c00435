"""What a network's maps score together: agreement, sanity, stability, faults."""

import copy

import numpy as np
import pytest
import torch
from tiny_model import CONFIG

from xaicovid_mm.evaluation.explanation.randomisation import STEPS, randomised_networks
from xaicovid_mm.evaluation.explanation.scorer import PARTS, REFERENCE_MAPS, ExplanationScorer
from xaicovid_mm.explain import DecoderExplainer, IntensityExplainer, SaliencyExplainer
from xaicovid_mm.registry import MODELS

SIDE = 32


class Fixed:
    """A map that is given."""

    def __init__(self, maps):
        self.maps = maps

    def __call__(self, model, images, labels):
        return self.maps[: len(images)].expand(len(images), -1, -1, -1).clone()


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(CONFIG))


@pytest.fixture(scope='module')
def batch():
    rng = torch.Generator().manual_seed(0)
    lung = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool)
    lung[..., 4:28, 4:28] = True
    images = torch.where(lung, 0.2 + 0.5 * torch.rand(lung.shape, generator=rng), 0.0)
    target = np.zeros((SIDE, SIDE), bool)
    target[6:12, 6:12] = True
    return images, lung, torch.tensor([1, 2]), dict(cause=[target, None])


def test_every_part_scores_every_map_and_leaves_the_network_as_it_was(model, batch):
    scorer = ExplanationScorer(dict(ig=SaliencyExplainer(steps=2), seg=DecoderExplainer()), PARTS)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()
    model.train()
    first, second = scorer(model, *batch)
    assert model.training and all(p.grad is None for p in model.parameters())
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()
    by_map = {row['map']: row for row in first}
    assert [*by_map] == ['ig', 'seg', *REFERENCE_MAPS]
    assert {'cause_auc', 'rank_correlation_seg', 'deletion_auc', 'road'} < by_map['ig'].keys()
    assert {'completeness_gap', 'cascade_rank_correlation', 'flip_rank_correlation'} < by_map[
        'ig'
    ].keys()
    assert 'sensitivity_max' in by_map['seg'] and 'completeness_gap' not in by_map['seg']
    assert by_map['blank']['cause_auc'] == 0.5 and by_map['blank']['status'] == 'flat'
    assert 'cascade_rank_correlation' not in by_map['random']  # it is no map of the network
    assert not any('cause' in key for row in second for key in row)  # nobody knows it there


def test_the_same_seed_scores_the_same_again(model, batch):
    scorer = ExplanationScorer(dict(seg=DecoderExplainer()), PARTS)
    assert scorer(model, *batch) == scorer(model, *batch)


def test_broken_maps_have_no_scores_and_say_why(model, batch):
    images = batch[0]
    nan = torch.full_like(images, torch.nan)
    maps = dict(nan=Fixed(nan), zero=Fixed(torch.zeros_like(images)))
    rows = ExplanationScorer(maps, ('localisation', 'agreement', 'faithfulness'))(model, *batch)
    of_nan, of_zero = rows[0][:2]
    assert of_nan == dict(map='nan', status='not_finite')
    assert of_zero['status'] == 'flat' and of_zero['cause_auc'] == 0.5
    assert 'cause_relevance_mass_accuracy' not in of_zero
    assert not any('rank_correlation' in key for key in of_zero)


def test_a_flat_map_is_scored_as_a_blank_one_whatever_its_rounding_says(model, batch):
    """The rounding lies on the lesion alone, so its ranks would be perfect."""
    images, lung, labels, targets = batch
    level = torch.full_like(images, 0.5)
    masks = [torch.as_tensor(mask) for mask in targets['cause'] if mask is not None]
    assert masks and masks[0].any()
    level[0, 0][masks[0]] += 1e-7
    maps = dict(rounding=Fixed(level), level=Fixed(torch.full_like(images, 0.5)))
    parts = ('localisation', 'agreement', 'faithfulness')
    rounding, flat = ExplanationScorer(maps, parts)(model, *batch)[0][:2]
    assert rounding['status'] == 'flat' and rounding['cause_auc'] == 0.5
    assert rounding['cause_pointing_game'] == pytest.approx(
        float(masks[0][lung[0, 0]].float().mean())
    )
    assert {k: v for k, v in rounding.items() if k != 'map'} == pytest.approx(
        {k: v for k, v in flat.items() if k != 'map'}
    )


def test_a_blank_map_is_blank_in_a_lung_with_black_pixels(model, batch):
    images, lung, labels, targets = batch
    dark = images.clone()
    dark[..., 20:28, 20:28] = 0
    first = ExplanationScorer(dict(seg=DecoderExplainer()), ('localisation',))(
        model, dark, lung, labels, targets
    )[0]
    (blank,) = (row for row in first if row['map'] == 'blank')
    assert blank['status'] == 'flat' and blank['cause_auc'] == 0.5


def test_a_map_in_bfloat16_is_scored(model, batch):
    maps = dict(short=Fixed(batch[0].bfloat16()), picture=IntensityExplainer())
    parts = ('localisation', 'agreement', 'faithfulness')
    short, picture = ExplanationScorer(maps, parts)(model, *batch)[0][:2]
    assert short['status'] == 'ok' and short['rank_correlation_picture'] > 0.99


def test_every_map_is_disturbed_by_the_same_noise(model, batch):
    maps = dict(first=IntensityExplainer(), second=IntensityExplainer())
    first, second = ExplanationScorer(maps, ('stability',))(model, *batch)[0][:2]
    assert first['sensitivity_max'] == second['sensitivity_max']


def test_a_slice_without_lung_says_so_and_has_no_scores(model, batch):
    images, lung, labels, targets = (batch[0].clone(), batch[1].clone(), *batch[2:])
    images[0], lung[0] = 0, False
    rows = ExplanationScorer(dict(seg=DecoderExplainer()), PARTS)(
        model, images, lung, labels, targets
    )
    assert all(row == dict(map=row['map'], status='no_lung') for row in rows[0])


def test_a_map_that_ignores_the_weights_stays_the_same_when_they_are_random(model, batch):
    maps = dict(picture=IntensityExplainer(), seg=DecoderExplainer())
    rows = ExplanationScorer(maps, ('sanity', 'stability'))(model, *batch)[0]
    picture, seg = rows[:2]
    assert picture['randomised_rank_correlation'] == pytest.approx(1)
    assert picture['cascade_rank_correlation'] == pytest.approx(1)
    assert seg['randomised_rank_correlation'] < 0.9
    assert picture['flip_rank_correlation'] == pytest.approx(1)
    assert 0.9 < picture['noise_rank_correlation'] < 1
    assert 0 < picture['sensitivity_max'] < 0.1


def test_the_cascade_starts_at_the_answer_and_ends_with_nothing_of_the_network(model):
    changed = []
    for network in randomised_networks(model):
        pairs = zip(model.named_parameters(), network.parameters(), strict=True)
        changed.append({name for (name, own), other in pairs if not torch.equal(own, other)})
    assert len(changed) == STEPS
    assert all(a < b for a, b in zip(changed, changed[1:], strict=False))
    assert not any(name.startswith('backbone.stages.0') for name in changed[0])
    weights = {n for n, p in model.named_parameters() if p.dim() > 1}
    assert weights <= changed[-1]


@pytest.mark.parametrize(
    'maps, parts, text',
    [
        ({}, PARTS, 'no map'),
        (dict(blank=DecoderExplainer()), PARTS, "'blank'"),
        (dict(a=DecoderExplainer()), ('localization',), "'localization'"),
    ],
)
def test_wrong_settings_are_refused(maps, parts, text):
    with pytest.raises(ValueError, match=text):
        ExplanationScorer(maps, parts)
