"""Whole slices for the lung model, and their views."""

import numpy as np
import pytest
import torch

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.datasets import DensePatches, IntensityJitter, RandomWindow, WholeSliceDataset
from xaicovid_mm.utils.errors import StoreError

PLAIN = [dict(type='PackCTInputs')]


def slice_of(seed=0, side=64):
    lung = np.zeros((side, side), bool)
    lung[16:48, 8:28] = lung[16:48, 36:56] = True
    image = np.where(lung, 0.3, 0.8).astype(np.float32)
    image[:4] = 0
    return dict(image=image, lung=lung, rng=np.random.default_rng(seed))


def store(root, lung=True, parameters=None):
    writer = StoreWriter(root, (32, 32), 'display', parameters or {'kind': 'test'})
    image = np.random.default_rng(0).integers(0, 255, (2, 32, 32))
    mask = np.zeros(image.shape, bool)
    mask[:, 8:24, 8:24] = True
    for name in ('a', 'b'):
        writer.add_case(
            StoreCase(name=name, patient=name, site='s', image=image, lung=mask if lung else None)
        )
    writer.close()
    write_split(SliceStore(root), 'lungs', {'labelled': ['a'], 'val': ['b']})
    return root


def test_a_whole_slice_shows_what_is_outside_the_lungs(tiny_store):
    items = WholeSliceDataset(tiny_store, 'default', ['val'], PLAIN, window=(-1350, 150))
    item, row = items[0], items.rows[0]
    shown = torch.from_numpy((items.store.image(row) + 1350.0) / 1500).clip(0, 1)
    torch.testing.assert_close(item['inputs'][0].double(), shown)
    assert item['inputs'][~item['data_samples'].lung].min() > 0.8
    np.testing.assert_array_equal(item['data_samples'].lung[0], items.store.lung(row))


def test_neither_class_nor_infection_mask_is_needed(tmp_path):
    items = WholeSliceDataset(store(tmp_path), 'lungs', ['labelled'], PLAIN)
    sample = items[0]['data_samples']
    assert sample.is_labelled and 'label' not in sample and 'infection' not in sample


def test_a_case_without_lung_mask_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"cases without lung masks: \['a'\]"):
        WholeSliceDataset(store(tmp_path, lung=False), 'lungs', ['labelled'], PLAIN)


def test_a_store_that_is_cropped_to_the_lungs_is_refused(tmp_path):
    root = store(tmp_path, parameters=dict(kind='images', crop_lung=0.03))
    with pytest.raises(StoreError, match='without --crop-lung'):
        WholeSliceDataset(root, 'lungs', ['labelled'], PLAIN)


def test_a_window_by_hand():
    results = slice_of() | dict(image=np.array([[0.1, 0.5, 0.9]], np.float32))
    shown = RandomWindow(low=(0.1, 0.1), high=(0.7, 0.7)).transform(results)['image']
    np.testing.assert_allclose(shown, [[0, 2 / 3, 1]], rtol=1e-6)
    assert shown.dtype == np.float32


def test_windows_that_could_be_empty_are_refused():
    with pytest.raises(ValueError, match='must end below'):
        RandomWindow(low=(-0.2, 0.7), high=(0.7, 1.3))


def test_jitter_of_a_whole_slice_does_not_tell_where_the_lungs_are():
    results = slice_of()
    outside = ~results['lung'] & (results['image'] > 0)
    changed = IntensityJitter(brightness=(0.9, 0.9)).transform(results)['image']
    np.testing.assert_allclose(changed[outside], 0.72, rtol=1e-6)
    assert not changed[:4].any()


def test_dense_patches_lie_inside_the_lung_and_look_like_its_surroundings():
    before = slice_of()['image']
    filled = 0
    for seed in range(20):
        results = slice_of(seed)
        lung = results['lung'].copy()
        after = DensePatches(prob=1, patches=3).transform(results)['image']
        np.testing.assert_array_equal(after[~lung], before[~lung])
        np.testing.assert_array_equal(results['lung'], lung)
        assert after.dtype == np.float32 and after.min() >= 0 and after.max() <= 1
        filled += ((after > 0.7) & lung).sum() / lung.sum()
    assert 0.02 < filled / 20 < 0.6


def test_dense_patches_leave_a_slice_without_lung_alone():
    results = slice_of()
    results['lung'][:] = False
    before = results['image'].copy()
    np.testing.assert_array_equal(DensePatches(prob=1).transform(results)['image'], before)


def test_the_same_seed_gives_the_same_patches():
    first, second = (DensePatches(prob=1).transform(slice_of(3))['image'] for _ in range(2))
    np.testing.assert_array_equal(first, second)
