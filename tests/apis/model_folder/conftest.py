import copy
import json

import pytest
from tiny_model import CONFIG

from xaicovid_mm.apis.model_folder.files import write_model_folder
from xaicovid_mm.classes import CLASSES

DESCRIPTION = dict(
    model=CONFIG,
    classes=[*CLASSES],
    explanation=dict(saliency=dict(steps=2, rule='right'), activation=dict(fuse='mean')),
    preprocessing=dict(
        size=[32, 32],
        intensity='hu',
        window=[-1250, 250],
        lung_fill=True,
        prepared=dict(
            kind='volumes', size=32, spacing_mm=None, crop_lung=0.05, min_lung_px=20, note='x'
        ),
    ),
    calibration=dict(temperature=2.0, aggregation='mean', slices=dict(number=3)),
    validation=dict(scores={}, notes=[], definitions={}),
    provenance=dict(seed=0, epochs=1, torch='2', date='2026-01-01'),
)


@pytest.fixture
def served(model, tmp_path):
    """A folder that can be applied to scans."""
    write_model_folder(tmp_path / 'served', model, description=DESCRIPTION)
    return tmp_path / 'served'


@pytest.fixture
def change(served):
    """Write a value at a dotted key of the description, as JSON text if it is ``bytes``."""

    def changed(key, value):
        path = served / 'model.json'
        description = json.loads(path.read_text())
        *way, last = key.split('.')
        node = description
        for part in way:
            node = node.setdefault(part, {})
        node[last] = '@@' if isinstance(value, bytes) else copy.deepcopy(value)
        text = json.dumps(description)
        if isinstance(value, bytes):
            text = text.replace('"@@"', value.decode())
        path.write_text(text)
        return served

    return changed
