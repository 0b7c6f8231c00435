"""What lowers the trust in a prediction is said, with its figure."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xaicovid_mm.apis.decisive_slices import (
    LISTED,
    decision_rule,
    decisive_slices,
    decisive_text,
)
from xaicovid_mm.apis.outputs.map_trust import map_trust, pixel_auc
from xaicovid_mm.apis.outputs.quality_flags import quality_flags
from xaicovid_mm.evaluation.aggregation import AGGREGATIONS, aggregate
from xaicovid_mm.evaluation.referral import Doubt, referral


def prediction(label='COVID-19', ml=10.0, probabilities=(0.1, 0.1, 0.8), slices=20, **trust):
    return dict(
        patient=dict(
            label=label,
            probabilities=dict(zip(('NP', 'CAP', 'COVID-19'), probabilities, strict=True)),
        ),
        referral=referral(Doubt(0.3, 0.1, 0.2), {}),
        burden=dict(total=dict(infection_ml=ml)),
        trust=dict(caam=dict(dict(auc=0.9, energy_outside_lung=0.0), **trust)),
        slices=[{}] * slices,
    )


@pytest.fixture
def good(deployed):
    deployed.training = dict(phantom=False, ranges=dict(lung_ml=[2000, 6000]))
    deployed.provenance |= dict(calibrated=True)
    return deployed


def flags_of(model, content, **facts):
    flags = quality_flags([], model, facts=facts, prediction=content)
    return {flag['code']: flag['text'] for flag in flags}


def test_a_prediction_with_nothing_wrong_has_no_flag(good):
    assert flags_of(good, prediction(), lung_ml=4000) == {}


@pytest.mark.parametrize(
    'lost, threshold, said',
    [
        (
            'wrong_class',
            0.3,
            'the doubt in its class is 0.30 (most of it: two classes are nearly as likely), and '
            'from 0.30 on',
        ),
        ('wrong_class', 0.31, None),
        ('missed_mask', 0.1, 'the doubt in its mask is 0.10, and from 0.10 on'),
        ('missed_mask', 0.11, None),
    ],
)
def test_a_scan_is_referred_from_either_threshold_on(good, lost, threshold, said):
    doubtful = prediction() | dict(referral=referral(Doubt(0.3, 0.1, 0.2), {lost: threshold}))
    found = flags_of(good, doubtful, lung_ml=4000).get('refer to a radiologist')
    assert (found is None) if said is None else found.startswith(said)


def test_both_doubts_and_the_largest_part_are_named(good):
    both = referral(Doubt(0.3, 0.5, 0.9), dict(wrong_class=0.3, missed_mask=0.4))
    said = flags_of(good, prediction() | dict(referral=both), lung_ml=4000)
    text = said['refer to a radiologist']
    assert 'class is 0.90 (most of it: class and mask do not agree)' in text
    assert 'mask is 0.50, and from 0.40 on' in text


@pytest.mark.parametrize(
    'content, code, said',
    [
        (prediction(probabilities=(0.1, 0.4, 0.5)), 'low margin', '50% and 40%'),
        (prediction('NP', 112.0, (0.8, 0.1, 0.1)), 'class against mask', '112.0 ml'),
        (prediction(ml=0.0), 'class against mask', 'no voxel'),
        (prediction(auc=0.55), 'maps at chance', 'caam 0.55'),
        (prediction(energy_outside_lung=0.7), 'maps outside the lungs', 'caam 70%'),
        (prediction(slices=9), 'few slices', '9 slices'),
    ],
)
def test_each_fault_has_its_flag_and_its_figure(good, content, code, said):
    assert said in flags_of(good, content)[code]
    assert len(flags_of(good, content)) == 1


@pytest.mark.parametrize(
    'content',
    [
        prediction('NP', 5.0, (0.8, 0.1, 0.1)),
        prediction('CAP', 0.0, (0.1, 0.8, 0.1)),
        prediction(probabilities=(0.1, 0.34, 0.56)),
        prediction(auc=None, energy_outside_lung=None),
        prediction(slices=10),
    ],
)
def test_what_lies_at_a_limit_has_none(good, content):
    assert flags_of(good, content) == {}


def test_a_model_says_what_it_was_trained_on(good):
    assert (
        'lung volume on the slices of the model, ml: 900, trained on 2000 to 6000'
        in flags_of(good, prediction(), lung_ml=900.0)['unlike the training data']
    )
    good.training = dict(phantom=True, ranges={})
    assert 'trained on phantoms' in flags_of(good, prediction())
    good.training = None
    assert 'publish the model again' in flags_of(good, prediction())['training data unknown']


def test_a_temperature_that_harms_is_not_called_calibrated(good):
    good.provenance |= dict(
        calibrated=False, uncalibrated_because='it does harm', harmful_temperature=True
    )
    assert flags_of(good, prediction())['harmful temperature'] == 'it does harm'


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    values, positive = rng.integers(0, 9, 500).astype(np.uint8), rng.random(500) < 0.2
    assert pixel_auc(values, positive) == pytest.approx(roc_auc_score(positive, values))
    assert pixel_auc(values, positive & False) is None
    assert pixel_auc(values * 0, positive) == 0.5


def test_a_map_is_measured_inside_the_lungs_only():
    lung, infection = np.zeros((2, 1, 8, 8), bool)
    lung[:, 2:6] = infection[:, 2:3] = True
    inside = np.where(infection, 200, 10).astype(np.uint8)
    outside = np.where(lung, inside, 255).astype(np.uint8)  # loud where no lung is
    maps = dict(good=inside, loud=outside, blank=inside * 0, wrong=255 - inside)
    known = dict(good=dict(value=0.8, low=0.7), loud=dict(value=0.5, low=0.4))
    trust = map_trust(maps, infection=infection, lung=lung, validation=known)
    assert [trust[name]['auc'] for name in maps] == [1, 1, 0.5, 0]
    assert 'shows where to look' in trust['good']['advice']
    assert 'on the validation patients it was no better' in trust['loud']['advice']
    assert 'no better than chance' in trust['blank']['advice']
    assert trust['good']['validation']['value'] == 0.8 and trust['wrong']['validation'] is None
    empty = map_trust(maps, infection=infection & False, lung=lung, validation={})
    assert 'No infection was segmented' in empty['good']['advice'] and empty['good']['auc'] is None
    full = map_trust(maps, infection=lung, lung=lung, validation={})
    assert 'All of the lung is infected' in full['good']['advice']
    none = {name: values[:0] for name, values in maps.items()}
    unseen = map_trust(none, infection=infection[:0], lung=lung[:0], validation={})
    assert '--explain 0' in unseen['good']['advice']
    unmeasured = map_trust(maps, infection=infection, lung=lung, validation={})
    assert 'was not measured' in unmeasured['good']['advice']


@pytest.mark.parametrize('low, said', [(None, 'too few validation'), (0.55, 'begins at 0.55')])
def test_nobody_is_told_to_lean_on_a_map_that_could_be_chance(low, said):
    lung = np.ones((1, 8, 8), bool)
    infection = np.arange(64).reshape(1, 8, 8) < 9
    known = dict(a=dict(value=0.9, low=low))
    maps = dict(a=infection.astype(np.uint8))
    advice = map_trust(maps, infection=infection, lung=lung, validation=known)['a']['advice']
    assert said in advice and 'hint only' in advice


@pytest.mark.parametrize('how', AGGREGATIONS)
def test_slices_that_are_said_to_take_no_part_take_none(how):
    scores = np.random.default_rng(0).dirichlet((1, 1, 1), 45)
    listed = decisive_slices(scores, 2, how)
    assert len(listed) == {'max': 1}.get(how, LISTED)
    assert scores[listed, 2].min() >= np.delete(scores[:, 2], listed).max()
    rule, (title, text) = decision_rule(45, how), decisive_text(45, 'COVID-19', how)
    assert '45 slices' in rule
    changed = scores.copy()
    changed[scores[:, 2].argmin()] = 1 / 3, 2 / 3, 0  # the least sure of COVID-19 is changed
    moved = AGGREGATIONS[how](changed)[2] != AGGREGATIONS[how](scores)[2]
    assert moved == ('drove the decision' not in title)
    assert ('the others do not' in text) != moved
    if how == 'mean':
        assert rule == 'average of 45 slices that show lung'
        np.testing.assert_allclose(aggregate(scores, how), scores.mean(0))
