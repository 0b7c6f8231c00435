"""Every config that comes with us can be published and served."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.apis import init_model
from xaicovid_mm.apis.model_folder.check import check_description
from xaicovid_mm.apis.model_folder.deployed_model import NEEDED, DeployedModel
from xaicovid_mm.apis.model_folder.description import TRAINING_ONLY, without_keys
from xaicovid_mm.apis.model_folder.files import ModelFolderError, write_model_folder
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.evaluation.explanation.report_maps import map_settings
from xaicovid_mm.registry import MODELS

MANY = 10_000_000
"""Weights of the largest networks that are written, to spare the disk."""
CONFIGS = sorted(path for path in Path('configs').rglob('*.py') if '_base_' not in path.parts)


def served(cfg):
    return without_keys(cfg.model.to_dict(), TRAINING_ONLY)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_the_network_and_the_maps_of_every_config_are_allowed(path, monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', '.')  # full size
    cfg = load_config(path)
    description = dict(format='', version=1, weights_sha256='0' * 64, model=served(cfg))
    check_description(json.loads(json.dumps(description | dict(explanation=map_settings(cfg)))))


def different_networks():
    """One config of each network, at the small scale where it has one."""
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XAICOVID_SCALE', 'quick')
        for path in CONFIGS:
            seen.setdefault(json.dumps(served(load_config(path)), sort_keys=True), path)
    return seen


@pytest.mark.slow
def test_every_network_comes_back_from_its_folder(tmp_path):
    init_default_scope('xaicovid_mm')
    networks = different_networks()
    compared = 0
    for number, config in enumerate(networks):
        torch.manual_seed(number)
        model = MODELS.build(json.loads(config)).eval()
        if sum(p.numel() for p in model.parameters()) > MANY:
            continue
        folder = tmp_path / str(number)
        write_model_folder(folder, model, description=dict(model=json.loads(config)))
        again, weights = init_model(folder).state_dict(), model.state_dict()
        assert again.keys() == weights.keys()
        assert all(torch.equal(again[name], weights[name]) for name in weights)
        (folder / 'model.safetensors').unlink()
        compared += 1
    assert compared > 12


@pytest.mark.parametrize('part', NEEDED)
def test_a_part_that_is_null_is_missing(part, change):
    with pytest.raises(ModelFolderError, match=f"has no .'{part}'. in model.json"):
        DeployedModel.from_folder(change(part, None))
