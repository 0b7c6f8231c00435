"""Call the commands of ``tools``, with a store where configs look for it."""

import runpy
from contextlib import contextmanager

import pytest

SHORT = [
    'train_dataloader.sampler.batches_per_epoch=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'log_level=ERROR',
]
"""Options that make an epoch of a config two steps long."""


def run(tool, *args):
    runpy.run_path(f'tools/{tool}.py')['main']([str(a) for a in args])


@contextmanager
def configs_of(store):
    """Let configs read a store and its split 'default', for the duration of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XAICOVID_STORE', str(store))
        patch.setenv('XAICOVID_SPLIT', 'default')
        yield
