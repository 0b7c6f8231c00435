"""The pseudo masks of PseudoSeg."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch.nn import functional as F

from xaicovid_mm.classes import COVID, NP
from xaicovid_mm.explain import PseudoSegLabeler
from xaicovid_mm.models import PseudoSegModel
from xaicovid_mm.models.calibration import RMSFusion

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


@pytest.fixture
def model():
    return PseudoSegModel(
        refiner=dict(type='GradCAMRefiner', width=8),
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead', alphas=(0, 0, 0)),
        decode_head=dict(type='UNetDecodeHead'),
    )


def test_labels_fuse_decoder_and_refined_map_and_change_nothing(model):
    images, before = torch.rand(2, 1, 32, 32), {k: v.clone() for k, v in model.state_dict().items()}
    classes = torch.tensor([COVID, NP])
    masks = PseudoSegLabeler(evidence_from='label')(model.train(), images, classes)
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


def test_another_source_of_evidence_is_refused():
    with pytest.raises(ValueError, match="evidence_from='prob'"):
        PseudoSegLabeler(evidence_from='prob')
    with pytest.raises(TypeError, match="'gate'"):
        PseudoSegLabeler(gate='pred')
