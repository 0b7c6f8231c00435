"""The maps that a test scores are the maps that a report shows."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
from xaicovid_mm.apis.slice_predictor import SlicePredictor
from xaicovid_mm.classes import COVID
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.evaluation.explanation.report_maps import report_maps
from xaicovid_mm.registry import MODELS, TASK_UTILS

SHOWN = dict(
    caam='caam', class_map='cam', saliency='saliency', infection_saliency='infection_saliency'
)
"""Map of a test to map of a report."""
LABELER = 'default_hooks.pseudo_label.labeler'
SETTINGS = {
    'the paper': {},
    'others': {
        f'{LABELER}.saliency': dict(steps=2, rule='middle', baseline='mean', _delete_=True),
        f'{LABELER}.activation': dict(source='cam', fuse='max'),
        'test_evaluator.0.min_area': 0.6,  # more than there is lung
    },
}


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
def test_a_test_scores_the_maps_that_a_report_shows(settings, tiny_store, tmp_path, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    init_default_scope('xaicovid_mm')
    cfg = load_config('configs/quick/semi_vgg.py', settings)
    torch.manual_seed(0)
    network, path = MODELS.build(cfg.model), tmp_path / 'new.pth'
    with torch.no_grad():  # no pixel near the threshold: reports hold half-precision numbers
        [*network.decode_head.parameters()][-2].mul_(100)
    torch.save(dict(state_dict=network.state_dict(), meta={}), path)
    rng = torch.Generator().manual_seed(0)
    images = torch.zeros(3, 1, 32, 32)
    images[..., 4:28, 4:28] = 0.1 + 0.8 * torch.rand(3, 1, 24, 24, generator=rng)
    shown = SlicePredictor(DeployedModel.from_checkpoint(cfg, path), infection_saliency=True)(
        images[:, 0].numpy(), None, lung=images[:, 0].numpy() > 0
    )
    labels, network = torch.full((3,), COVID), network.eval()
    for name, cfg_of_map in report_maps(cfg).items():
        if name in SHOWN:
            scored = TASK_UTILS.build(cfg_of_map)(network, images, labels)[:, 0].numpy()
            seen = getattr(shown, SHOWN[name]) / 255
            np.testing.assert_allclose(scored, seen, atol=0.003, err_msg=name)
            assert scored.any() == (not settings or name != 'infection_saliency')
