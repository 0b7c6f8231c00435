"""The maps of every network that is shipped for the comparison."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.evaluation.explanation.report_maps import report_maps
from xaicovid_mm.evaluation.metrics import ExplanationMetric
from xaicovid_mm.explain.explainers import lacking_maps
from xaicovid_mm.registry import MODELS

ROWS = sorted(path.stem for path in Path('configs/comparison').glob('*.py'))
OF_CLASS_MAPS, OF_DECODER = {'caam', 'class_map'}, {'infection_saliency', 'decoder'}
LACKING = dict(
    hu=OF_DECODER,
    resnet18=OF_CLASS_MAPS | OF_DECODER,
    vgg16=OF_CLASS_MAPS | OF_DECODER,
    pseudo_label=OF_CLASS_MAPS | OF_DECODER,
    jcs=OF_CLASS_MAPS,
    multimix=OF_CLASS_MAPS,
)
NO_CLASS = {'unet', 'unet_narrow', 'segnet'}


@pytest.mark.parametrize('name', ROWS)
def test_every_map_is_scored_that_the_network_can_give(name, tiny_store, monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', 'quick')
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    cfg = load_config(f'configs/comparison/{name}.py')
    network, maps = MODELS.build(cfg.model).eval(), report_maps(cfg)
    dataset = SliceDataset(tiny_store, 'default', ['test'], [dict(type='PackCTInputs')])
    items = [dataset[i] for i in (8, 9)]  # of a patient with COVID-19
    metric = ExplanationMetric(maps, explained='true')
    metric.model = network
    inputs = dict(inputs=[item['inputs'] for item in items])
    metric.process(inputs, [item['data_samples'].to_dict() for item in items])
    if name in NO_CLASS:
        with pytest.raises(ValueError, match='no cls_head'):
            metric.evaluate(2)
        return
    lacking = lacking_maps(metric.scorer.explainers, network)
    scored = {score.split('/')[1] for score in metric.evaluate(2)}
    assert lacking.keys() == LACKING.get(name, set())
    assert scored == {*maps} - lacking.keys() | {'blank', 'intensity', 'random'}
