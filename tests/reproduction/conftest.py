"""A project of two short configs, and the comparison run over it once."""

from pathlib import Path

import pytest

from xaicovid_mm.reproduction.execution import execute
from xaicovid_mm.reproduction.planning import plan
from xaicovid_mm.reproduction.runs import Setting
from xaicovid_mm.reproduction.systems import SYSTEMS

HERE = Path(__file__).parents[2]
SHORT = """
_base_ = '{here}/configs/quick/{name}_vgg.py'
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    batch_size={batch},
    sampler=dict(labelled_per_batch=2, unlabelled_per_batch={unlabelled}, batches_per_epoch=2),
)
train_cfg = dict(max_epochs=2, val_interval=1)
"""


@pytest.fixture(scope='session')
def setting(tiny_store, tmp_path_factory):
    """Short versions of ours, supervised and semi-supervised, with the tools of this project."""
    root = tmp_path_factory.mktemp('project')
    (root / 'configs/comparison').mkdir(parents=True)
    (root / 'tools').symlink_to(HERE / 'tools')
    for row, name, unlabelled in (('sup', 'supervised', 0), ('semi', 'semi', 2)):
        values = dict(here=HERE, name=name, batch=2 + unlabelled, unlabelled=unlabelled)
        (root / f'configs/comparison/ours_{row}.py').write_text(SHORT.format(**values))
    return Setting(
        scale='quick',
        store=tiny_store,
        split='default',
        role='test',
        root=root / 'runs',
        project=root,
    )


@pytest.fixture(scope='session')
def runs(setting):
    """Three runs of which the first two are done."""
    some = {name: SYSTEMS[name] for name in ('ours_semi', 'ours_sup')}
    planned = plan(some, [0, 1], [setting])[:3]
    for run in planned[:2]:
        execute(run, threads=1)
    return planned
