"""Eqs. (6) and (7)."""

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from xaicovid_mm.explain import Saliency, completeness_gap, integrated_gradients
from xaicovid_mm.explain.saliency import BASELINES

V = torch.tensor([1.0, -2.0, 0.5, 3.0])


def row(*values):
    return torch.tensor(values).view(1, 1, 1, -1)


def linear(x):
    return (x.flatten(1) * torch.tensor([2.0, -1.0, 0.5])).sum(1)


def quadratic(x):
    return (x.flatten(1) ** 2 * torch.tensor([1.0, 2.0, -1.0])).sum(1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 2, 3), nn.AdaptiveAvgPool2d(1)
    ).double()


@pytest.mark.parametrize('steps', [1, 4, 20])
def test_a_linear_score_is_attributed_exactly(steps):
    found = integrated_gradients(linear, row(1.0, 3.0, -2.0), steps)
    torch.testing.assert_close(found, row(2.0, -3.0, -1.0))


def test_another_baseline_leaves_out_what_it_already_has():
    found = integrated_gradients(linear, row(1.0, 3.0, -2.0), 4, baseline=row(1.0, 0.0, 0.0))
    torch.testing.assert_close(found, row(0.0, -3.0, -1.0))


@pytest.mark.parametrize(
    'rule, steps, total',
    [('right', 1, 30), ('right', 4, 18.75), ('right', 20, 15.75), ('left', 4, 11.25)]
    + [('middle', 4, 15), ('gauss', 2, 15)],
)
def test_each_rule_sums_a_quadratic_as_by_hand(rule, steps, total):
    found = integrated_gradients(quadratic, row(1.0, 3.0, -2.0), steps, rule)
    assert found.sum().item() == pytest.approx(total)


def test_the_printed_rule_of_a_quadratic_by_pixel():
    found = integrated_gradients(quadratic, row(1.0, 3.0, -2.0), 4)
    torch.testing.assert_close(found, row(1.25, 22.5, -5.0))


@pytest.mark.parametrize(
    'score, image, steps, by_hand',
    [
        (lambda x: x.flatten(1).prod(1), (3.0, 2.0), 5, (3.6, 3.6)),
        (lambda x: (x - 1).relu().flatten(1).sum(1), (2.0,), 4, (1.0,)),
    ],
    ids=['product', 'dead half of a relu'],
)
def test_other_scores_by_hand(score, image, steps, by_hand):
    torch.testing.assert_close(integrated_gradients(score, row(*image), steps), row(*by_hand))


def test_a_slice_is_attributed_the_same_alone_and_in_a_batch(net):
    images = torch.rand(3, 1, 8, 8, dtype=torch.double)

    def score(x):
        return net(x)[:, 0, 0, 0]

    together = integrated_gradients(score, images, 3)
    torch.testing.assert_close(together[1:2], integrated_gradients(score, images[1:2], 3))


def test_instance_norm_breaks_completeness_as_computed_by_hand():
    def score(x):
        flat = x.flatten(1)
        centred = flat - flat.mean(1, keepdim=True)
        return (V * centred / flat.var(1, unbiased=False, keepdim=True).sqrt()).sum(1)

    image = row(1.0, 2.0, 4.0, 1.0)
    found = integrated_gradients(score, image, 4)
    by_hand = row(-0.2126293179, -8.9304313539, 5.9536209026, 3.1894397692)
    torch.testing.assert_close(found, by_hand, atol=1e-4, rtol=0)
    assert found.sum().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    'ours, captums',
    [('right', 'riemann_right'), ('middle', 'riemann_middle'), ('gauss', 'gausslegendre')],
)
def test_captum_agrees(net, ours, captums):
    images = torch.rand(2, 1, 8, 8, dtype=torch.double)
    expected = IntegratedGradients(lambda x: net(x)[:, 1, 0, 0]).attribute(
        images, n_steps=6, method=captums
    )
    found = integrated_gradients(lambda x: net(x)[:, 1, 0, 0], images, 6, ours)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-6)


def test_the_completeness_gap_closes_with_more_steps(net):
    def score(x):
        return net(x)[:, 0, 0, 0]

    images = torch.rand(2, 1, 8, 8, dtype=torch.double)
    coarse, fine = (
        completeness_gap(score, images, integrated_gradients(score, images, t)).abs()
        for t in (2, 64)
    )
    assert (fine < coarse).all() and (fine < 1e-3).all()


def test_it_works_under_no_grad_and_touches_no_parameter(net):
    with torch.no_grad():
        found = integrated_gradients(
            lambda x: net(x).flatten(1).sum(1), torch.rand(1, 1, 6, 6).double(), 3
        )
    assert found.any() and not found.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_a_black_pixel_gets_nothing(net):
    image = torch.rand(1, 1, 6, 6).double()
    image[..., 2, 3] = 0
    found = integrated_gradients(lambda x: net(x).flatten(1).sum(1), image, 3)
    assert found[..., 2, 3].item() == 0


@pytest.mark.parametrize('wrong', [dict(steps=0), dict(steps=2, rule='simpson')])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match='steps=0|simpson'):
        integrated_gradients(linear, row(1.0, 3.0, -2.0), **wrong)


def squares(x):
    return x.square().flatten(1).sum(1, keepdim=True)


def test_saliency_lies_between_0_and_1_and_is_0_outside_the_lung():
    image = torch.rand(2, 1, 16, 16)
    image[..., :4] = 0
    found = Saliency(steps=2)(squares, image, 0)
    assert found.min() == 0 and found.max() == 1
    assert not found[..., :4].any()


def test_clipping_keeps_one_hot_pixel_from_flattening_the_map():
    image = torch.full((1, 1, 16, 16), 0.1)
    image[..., 8, 8], image[..., :1] = 1.0, 0.0
    flat = Saliency(steps=1, percentile=100)(squares, image, 0)
    clipped = Saliency(steps=1, percentile=99)(squares, image, 0)
    assert flat[..., 3, 3].item() < 0.02 and clipped[..., 3, 3].item() > 0.9


@pytest.mark.parametrize('pixels, clipped', [(99, False), (100, True)])
def test_few_lung_pixels_are_not_clipped(pixels, clipped):
    image = torch.zeros(1, 1, 16, 16)
    image.view(-1)[:pixels] = 0.1
    image.view(-1)[0] = 1.0
    found = Saliency(steps=1, percentile=90)(squares, image, 0)
    assert (found.view(-1)[1].item() > 0.9) == clipped


@pytest.mark.parametrize('unit', [1.0, 50.0, 1e-3, 1e-7])
def test_evidence_in_a_few_pixels_is_shown_whatever_its_unit(unit):
    """6 of 2304 pixels, with evidence of 1 to 6: the 99th percentile of the lung is 0."""
    image, weights = torch.zeros(2, 1, 1, 64, 64)
    image[..., 8:56, 8:56] = 0.5
    weights[..., 20, 20:26] = unit * torch.arange(1.0, 7.0)

    def classify(x):
        return (x * weights).sum((1, 2, 3))[:, None]

    found = Saliency(steps=1)(classify, image, 0)
    torch.testing.assert_close(found[0, 0, 20, 20:26], torch.arange(1.0, 7.0) / 6)
    assert (found > 0).sum() == 6
    weights.zero_()
    assert not Saliency(steps=1)(classify, image, 0).any()  # nothing reaches: blank


def test_a_featureless_lung_is_its_own_blur_up_to_the_pleura():
    image = torch.zeros(1, 1, 64, 64)
    image[..., 8:56, 8:56] = 0.5
    torch.testing.assert_close(BASELINES['blur'](image), image)
    torch.testing.assert_close(BASELINES['blur'](image.half()), image.half())
    assert not Saliency(steps=2, baseline='blur')(squares, image, 0).any()


def test_the_blur_keeps_what_is_large_and_loses_what_is_small():
    image = torch.zeros(1, 1, 64, 64)
    image[..., 8:56, 8:32], image[..., 8:56, 32:56] = 0.2, 0.8
    image[..., 30, 12] = 1.0
    blurred = BASELINES['blur'](image)[0, 0]
    assert blurred[30, 12] < 0.3 and blurred[30, 50] > 0.7


def test_a_black_slice_has_a_black_saliency():
    assert not Saliency()(squares, torch.zeros(1, 1, 16, 16), 0).any()


def test_positive_saliency_drops_what_speaks_against():
    image = torch.ones(1, 1, 2, 128)

    def score(x):
        return (x[..., 0, :] - x[..., 1, :]).flatten(1).sum(1, keepdim=True)

    assert Saliency(steps=1, sign='positive')(score, image, 0)[..., 1, :].max() == 0


@pytest.mark.parametrize('baseline', ['mean', 'blur'])
def test_other_baselines_stay_black_outside_the_lung(baseline):
    image = torch.rand(1, 1, 16, 16)
    image[..., :4] = 0
    assert not Saliency(steps=2, baseline=baseline)(squares, image, 0)[..., :4].any()


def test_the_probability_of_a_class_falls_where_a_rival_rises():
    image = torch.ones(1, 1, 2, 128)

    def classify(x):
        return x.mean(3)[:, 0]  # the first row speaks for class 0, the second for class 1

    logit, prob = (
        Saliency(1, output=output, percentile=100)(classify, image, 0)
        for output in ('logit', 'prob')
    )
    assert logit[..., 0, :].min() == 1 and logit[..., 1, :].max() == 0
    assert not prob.any()  # both rows matter alike: the map is flat


@pytest.mark.parametrize(
    'wrong', [dict(baseline='white'), dict(sign='negative'), dict(output='loss')]
)
def test_saliency_names_what_it_does_not_know(wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        Saliency(**wrong)
