"""PseudoSeg: Grad-CAM, its refinement, its calibration, its labels."""

import pytest
import torch
from captum.attr import LayerGradCam
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn import functional as F

from xaicovid_mm.classes import COVID, NP
from xaicovid_mm.explain import PseudoSegLabeler, grad_cam
from xaicovid_mm.models import GradCAMRefiner, PseudoSegModel
from xaicovid_mm.models.calibration import RMSFusion
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


@pytest.fixture
def model():
    return PseudoSegModel(
        refiner=dict(type='GradCAMRefiner', in_channels=WIDTHS[3:], width=8),
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead', in_channels=WIDTHS[2:], alphas=(0, 0, 0)),
        decode_head=dict(type='UNetDecodeHead', in_channels=WIDTHS),
    )


def test_grad_cam_by_hand():
    feature = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])

    def classify(f):  # 2 times the mean of the first channel, less that of the second
        return (2 * f[:, 0] - f[:, 1]).mean((1, 2))[:, None]

    # weights 2/2 and -1/2 by pixel, averaged over two pixels: evidence (-0.5, 1.5) before ReLU
    assert grad_cam(classify, feature, 0).flatten().tolist() == [0.0, 1.0]


def test_grad_cam_is_captums_over_its_maximum():
    layer = nn.Conv2d(1, 5, 3)
    net = nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 3)).eval()
    images = torch.rand(2, 1, 8, 8)
    theirs = LayerGradCam(net, layer).attribute(images, target=2, relu_attributions=True)
    ours = grad_cam(net[1:], layer(images), 2)
    torch.testing.assert_close(ours, theirs / theirs.amax((1, 2, 3), keepdim=True))


def test_without_evidence_grad_cam_is_zero():
    found = grad_cam(lambda f: -f.flatten(1), torch.ones(1, 1, 1, 1), 0)
    assert found.item() == 0


def test_attention_of_like_features_spreads_evidence_evenly():
    refiner = GradCAMRefiner(in_channels=(2, 2), width=4)
    seen = {}
    refiner.predict.register_forward_hook(lambda m, args, out: seen.update(pair=args[0]))
    feats = [torch.ones(1, 2, 4, 4), torch.ones(1, 2, 2, 2)]
    evidence = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    refiner(feats, evidence)
    # everywhere a quarter, and the evidence itself on top; background is what is left of 2
    assert seen['pair'][0, 1].flatten().tolist() == pytest.approx([1.25, 0.25, 0.25, 0.25])
    torch.testing.assert_close(seen['pair'].sum(1), torch.full((1, 2, 2), 2.0))


@pytest.mark.parametrize('seed', range(4))
def test_more_evidence_is_more_infection_whatever_the_seed(seed):
    torch.manual_seed(seed)
    refiner = GradCAMRefiner(in_channels=(2,), width=4)
    evidence = torch.linspace(0, 1, 16).reshape(1, 1, 4, 4)
    logits = refiner([torch.rand(1, 2, 4, 4)], evidence)
    infection = (logits[:, 1] - logits[:, 0]).flatten()
    assert (infection.diff() > 0).all()
    # batch norm centres each logit, so the mean says how rare infection is taken to be
    assert infection.mean().sigmoid().item() == pytest.approx(0.01, abs=1e-5)


def test_the_refiner_does_not_teach_the_features():
    refiner = GradCAMRefiner(in_channels=(2,), width=4)
    feature = torch.rand(1, 2, 2, 2, requires_grad=True)
    refiner([feature], torch.rand(1, 1, 2, 2)).sum().backward()
    assert feature.grad is None and refiner.query.weight.grad is not None


def test_rms_fusion_by_hand():
    decoded = torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
    refined = torch.tensor([3.0, -3.0]).view(1, 2, 1, 1)
    # rms sqrt(5): softmax of +-1/sqrt 5 and -+3/sqrt 5 is 0.7098 and 0.0640, the mean 0.3869,
    # sharpened 0.3869^2 / (0.3869^2 + 0.6131^2)
    assert RMSFusion(0.5)(decoded, refined).item() == pytest.approx(0.28482, abs=1e-4)


def test_rms_fusion_knows_no_scale():
    a, b = torch.randn(2, 2, 4, 4), torch.randn(2, 2, 4, 4)
    fuse = RMSFusion()
    torch.testing.assert_close(fuse(a, b), fuse(7 * a, 7 * b))


def test_agreed_background_is_labelled_two_percent():
    p = torch.sigmoid(torch.tensor(-2.0))
    floor = (p**2 / (p**2 + (1 - p) ** 2)).item()
    assert RMSFusion().background_floor() == pytest.approx(floor)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match='temperature=0'):
        RMSFusion(0)


def labelled(label):
    infection = torch.zeros(1, 32, 32, dtype=torch.uint8)
    infection[:, 8:16, 8:16] = label == COVID
    return CTSample(metainfo=dict(is_labelled=True), label=torch.tensor(label), infection=infection)


def test_the_refined_map_learns_the_masks(model):
    images, samples = torch.rand(2, 1, 32, 32), [labelled(COVID), labelled(NP)]
    losses = model.loss(images, samples)
    assert set(losses) == {'loss_ce', 'loss_s', 'loss_sa'}
    feats, masks = model.features(images), torch.stack([s.infection for s in samples])
    logits = F.interpolate(model.refine(feats, torch.tensor([1.0, 0.0])), (32, 32), mode='bilinear')
    expected = 5 * F.cross_entropy(logits, masks[:, 0].long())
    torch.testing.assert_close(losses['loss_sa'], expected)
    losses['loss_sa'].backward()
    assert model.refiner.key.weight.grad is not None
    assert all(p.grad is None for p in model.backbone.parameters())


def test_a_slice_without_the_class_has_no_evidence(model):
    seen = {}
    model.refiner.register_forward_hook(lambda m, args, out: seen.update(evidence=args[1]))
    model.refine(model.features(torch.rand(2, 1, 32, 32)), torch.tensor([1.0, 0.0]))
    assert seen['evidence'][1].abs().sum() == 0
    assert seen['evidence'][0].max() in (0, 1)


def test_labels_fuse_decoder_and_refined_map_and_change_nothing(model):
    images, before = torch.rand(2, 1, 32, 32), {k: v.clone() for k, v in model.state_dict().items()}
    classes = torch.tensor([COVID, NP])
    masks = PseudoSegLabeler(gate='label')(model.train(), images, classes)
    assert masks.shape == images.shape and not masks.requires_grad and model.training
    assert 0 <= masks.min() and masks.max() <= 1
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())

    model.eval()
    with torch.no_grad():
        feats = model.features(images)
        z = model.decode_head(feats)
        refined = model.refine(feats, torch.tensor([1.0, 0.0]))
        large = F.interpolate(refined, (32, 32), mode='bilinear')
        expected = RMSFusion()(torch.cat((-z / 2, z / 2), 1), large)
    torch.testing.assert_close(masks, expected)


def test_gate_and_heads_are_checked(model):
    with pytest.raises(ValueError, match="gate='prob'"):
        PseudoSegLabeler(gate='prob')
    with pytest.raises(ValueError, match='cls_head and a decode_head'):
        PseudoSegModel(
            refiner=dict(type='GradCAMRefiner', in_channels=(4,)),
            backbone=dict(type='MultiScaleVGG', widths=WIDTHS),
            decode_head=dict(type='UNetDecodeHead', in_channels=WIDTHS[2:]),
        )
