"""What tests share: a tiny store, and the door for tests on real CT."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter

SIDE = 32
ROLE_OF = {0: 'labelled', 1: 'unlabelled', 2: 'val', 3: 'test', 4: 'labelled', 5: 'unlabelled'}


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='session')
def autograd_started():
    """Start autograd before any test.

    An ONNX export registers further devices. Started after it, autograd makes a thread for them,
    and then no process that a test forks can go backward.
    """
    torch.ones(1, requires_grad=True).sum().backward()


@pytest.fixture(scope='session')
def tiny_store(tmp_path_factory):
    """18 patients of three classes with 4 slices of 32 px each, split 'default'."""
    root = tmp_path_factory.mktemp('tiny') / 'store'
    writer = StoreWriter(root, (SIDE, SIDE), 'hu', {'kind': 'test'})
    patients = {role: [] for role in set(ROLE_OF.values())}
    for label in range(3):
        for number in range(6):
            name = f'p{label}{number}'
            patients[ROLE_OF[number]].append(name)
            rng = np.random.default_rng([label, number])
            writer.add_case(
                StoreCase(
                    name=name, patient=name, site=f'site{number % 2}', **tiny_case(label, rng)
                )
            )
    writer.close()
    write_split(SliceStore(root), 'default', patients)
    return root


def tiny_case(label, rng, slices=4):
    y, x = np.mgrid[:SIDE, :SIDE]
    lung = ((x - 9) ** 2 + (y - 16) ** 2 < 49) | ((x - 23) ** 2 + (y - 16) ** 2 < 49)
    image = np.where(lung, -850, 40) + rng.normal(0, 30, (slices, SIDE, SIDE))
    infection = np.zeros((slices, SIDE, SIDE), bool)
    if label == 2:
        infection[:3] = (x - 7) ** 2 + (y - 19) ** 2 < 9
        image[infection] += 500
    elif label == 1:
        image[:, (x > 20) & lung] += 800
    masks = dict(infection=infection) if label == 2 else {}
    lungs = np.broadcast_to(lung, image.shape)
    return dict(image=image, label=label, lung=lungs, **masks)


def pytest_collection_modifyitems(items):
    folder = Path(os.environ.get('XAICOVID_DATA', '../shared/data'))
    if not folder.is_dir():
        for item in items:
            if item.get_closest_marker('real_data'):
                item.add_marker(pytest.mark.skip(reason=f'{item.name}: no CT at {folder}'))
