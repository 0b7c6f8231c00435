"""Our scores are those of Quantus, captum and scikit-learn."""

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from torch import nn

from xaicovid_mm.evaluation.explanation import lung_filling
from xaicovid_mm.evaluation.explanation.agreement import rank_correlation
from xaicovid_mm.evaluation.explanation.faithfulness import faithfulness_scores
from xaicovid_mm.evaluation.explanation.localisation import localisation_scores

SIDE = 12


@pytest.fixture(scope='module')
def maps():
    rng = np.random.default_rng(0)
    values = rng.random((6, SIDE, SIDE)).astype(np.float32)
    targets = rng.random((6, SIDE, SIDE)) < 0.15
    values[:3] += targets[:3]  # three good maps
    return values, targets


@pytest.mark.parametrize(
    'name, theirs',
    [
        ('auc', 'AUC'),
        ('pointing_game', 'PointingGame'),
        ('relevance_mass_accuracy', 'RelevanceMassAccuracy'),
        ('relevance_rank_accuracy', 'RelevanceRankAccuracy'),
    ],
)
def test_localisation_is_that_of_quantus(maps, name, theirs):
    quantus = pytest.importorskip('quantus')
    values, targets = maps
    metric = getattr(quantus, theirs)(abs=False, normalise=False, disable_warnings=True)
    batch = dict(a_batch=values[:, None], s_batch=targets[:, None].astype(int))
    found = metric(
        model=None, x_batch=np.zeros_like(values)[:, None], y_batch=np.zeros(6, int), **batch
    )
    ours = [localisation_scores(v.ravel(), t.ravel())[name] for v, t in zip(*maps, strict=True)]
    np.testing.assert_allclose(ours, np.array(found, float), atol=1e-6)


def test_rank_correlation_is_scipys(maps):
    from scipy.stats import spearmanr

    one, other = maps[0][0].ravel().round(1), maps[0][1].ravel()  # with ties
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation(one, np.ones_like(one)) is None
    assert rank_correlation(one, np.full_like(one, np.nan)) is None
    assert rank_correlation(one[:0], other[:0]) is None


def test_the_deletion_curve_is_the_pixel_flipping_of_quantus():
    quantus = pytest.importorskip('quantus')
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 8, 8, generator=rng) * 0.5 + 0.5
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    labels, maps = torch.tensor([0, 2]), torch.rand(2, 1, 8, 8, generator=rng)
    black = torch.zeros_like(images)
    steps = 8

    # Ours, with black in the place of the blur that Quantus cannot know
    from xaicovid_mm.evaluation.explanation import faithfulness

    order = faithfulness._ranks(maps, images > 0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faithfulness, 'blurred_lung', lambda *_: black)
        ours = faithfulness._curves(net, images, images > 0, labels, order)[0]
    metric = quantus.PixelFlipping(
        features_in_step=64 // steps,
        perturb_baseline=0.0,
        abs=False,
        normalise=False,
        return_auc_per_sample=False,
        disable_warnings=True,
    )
    curves = metric(
        model=net,
        x_batch=images.numpy(),
        y_batch=labels.numpy(),
        a_batch=maps.numpy(),
        softmax=True,
        device='cpu',
    )
    with torch.no_grad():
        whole = net(images).softmax(1).gather(1, labels[:, None]).numpy()
    theirs = np.trapezoid(np.hstack([whole, np.array(curves, float)]), dx=1 / steps, axis=1)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_filling_of_road_is_that_of_quantus_where_all_is_lung(monkeypatch):
    perturb = pytest.importorskip('quantus.functions.perturb_func')
    monkeypatch.setattr(lung_filling, 'NOISE', 0)
    rng = np.random.default_rng(0)
    image, removed = rng.random((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool)
    removed[3:9, 2:10] = rng.random((6, 8)) < 0.8
    removed[0, :3] = True  # at the edge of the picture
    ours = lung_filling.impute(image, np.ones_like(removed), removed, rng)
    theirs = perturb.noisy_linear_imputation(image[None], np.flatnonzero(removed), noise=0.0)
    np.testing.assert_allclose(ours, theirs[0], atol=1e-5)
    assert np.abs(ours - image).max() > 0.1


def test_a_linear_network_has_no_infidelity_to_its_weights_times_what_changes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16 * 16, 3)).eval()
    images, labels = torch.rand(2, 1, 16, 16) * 0.5 + 0.5, torch.tensor([1, 2])
    exact = net[1].weight[labels].reshape(2, 1, 16, 16).detach()
    lung = torch.ones_like(images, dtype=torch.bool)
    found = [
        [s['infidelity'] for s in faithfulness_scores(net, images, lung, labels, maps)]
        for maps in (exact, torch.rand_like(exact))
    ]
    assert max(found[0]) < 1e-8 < min(found[1])
    again = captum_infidelity(
        net, lambda x: (x * 0.1, x * 0.9), images, exact, target=labels, normalize=True
    )
    assert again.abs().max() < 1e-6
