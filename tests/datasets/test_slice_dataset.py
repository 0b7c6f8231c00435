"""Slices as samples."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.datasets import Draw, SliceDataset, TwoStreamSampler, slice_dataset
from xaicovid_mm.utils.errors import StoreError

TWO_VIEWS = [
    dict(type='RandomGeometry', rotate_deg=(-10, 10), scale=(0.9, 1.1), shift=0.05),
    dict(type='IntensityJitter', gamma=(0.8, 1.2), brightness=(0.9, 1.1), noise_std=(0, 0.02)),
    dict(type='StrongView'),
    dict(type='PackCTInputs', two_views=True),
]
PLAIN = [dict(type='PackCTInputs')]


def dataset(store, roles=('labelled', 'unlabelled'), pipeline=TWO_VIEWS, **settings):
    return SliceDataset(store, 'default', roles, pipeline, **settings)


def test_labelled_slices_know_their_class_and_mask(tiny_store):
    items = dataset(tiny_store, ['labelled'], PLAIN)
    samples = [items[i]['data_samples'] for i in range(len(items))]
    assert {int(s.label) for s in samples} == {0, 1, 2}
    assert all('infection' in s and s.is_labelled for s in samples)
    assert any(s.infection.any() for s in samples)


def test_a_covid_slice_without_infection_may_be_taught_as_np(tiny_store):
    plain, by_mask = (
        dataset(tiny_store, ['labelled'], PLAIN, class_from_mask=flag) for flag in (False, True)
    )
    changed = 0
    for position in range(len(plain)):
        before, after = (items[position]['data_samples'] for items in (plain, by_mask))
        empty = int(before.label) == 2 and not before.infection.any()
        assert int(after.label) == (0 if empty else int(before.label))
        changed += empty
    assert changed


def test_the_class_of_a_slice_whose_mask_is_hidden_does_not_change(tiny_store):
    plain, by_mask = (
        dataset(tiny_store, ['unlabelled'], PLAIN, class_from_mask=flag, weak_labels=True)
        for flag in (False, True)
    )
    labels = [
        [int(items[i]['data_samples'].label) for i in range(len(items))]
        for items in (plain, by_mask)
    ]
    assert labels[0] == labels[1] and 2 in labels[0]


def test_labelled_slices_are_grouped_by_what_they_show(tiny_store):
    for by_mask, number in ((False, 4), (True, 3)):
        items = dataset(tiny_store, pipeline=PLAIN, class_from_mask=by_mask)
        groups = items.labelled_groups
        assert sorted(np.concatenate(groups)) == items.labelled_positions.tolist()
        shown = [
            {(int(s.label), bool(s.infection.any())) for s in map(sample_of(items), group)}
            for group in groups
        ]
        assert len(groups) == number and all(len(kind) == 1 for kind in shown)


def sample_of(items):
    return lambda position: items[int(position)]['data_samples']


def test_unlabelled_slices_know_nothing(tiny_store):
    items = dataset(tiny_store, ['unlabelled'])
    for i in range(len(items)):
        sample = items[i]['data_samples']
        assert 'label' not in sample and 'infection' not in sample and not sample.is_labelled


def test_the_masks_of_unlabelled_slices_are_never_opened(tiny_store, monkeypatch):
    def spy(self, row):
        pytest.fail(f'the mask of row {row} was opened')

    monkeypatch.setattr(SliceStore, 'infection', spy)
    for weak in (False, True):
        items = dataset(tiny_store, ['unlabelled'], weak_labels=weak)
        for i in range(len(items)):
            items[i]


def test_weak_labels_give_the_class_and_no_mask(tiny_store):
    sample = dataset(tiny_store, ['unlabelled'], weak_labels=True)[0]['data_samples']
    assert 'label' in sample and 'infection' not in sample


def test_an_audit_sees_the_hidden_masks(tiny_store):
    items = dataset(tiny_store, ['unlabelled'], PLAIN, reveal=True)
    assert any(items[i]['data_samples'].infection.any() for i in range(len(items)))


def test_outside_the_lung_every_view_is_black(tiny_store):
    items = dataset(tiny_store)
    for position in range(len(items)):
        item = items[Draw(position, seed=position)]
        outside = ~item['data_samples'].lung
        assert not item['inputs'][outside].any() and not item['weak_inputs'][outside].any()


def test_the_strong_view_differs_for_unlabelled_slices_only(tiny_store):
    items = dataset(tiny_store)
    for position in range(len(items)):
        item = items[Draw(position, 3)]
        same = torch.equal(item['inputs'], item['weak_inputs'])
        assert same == item['data_samples'].is_labelled


def test_a_draw_gives_the_same_views_in_another_process(tiny_store):
    items = dataset(tiny_store)
    copy = pickle.loads(pickle.dumps(items))
    for draw in (Draw(0, 1), Draw(30, 2)):
        assert torch.equal(items[draw]['inputs'], copy[draw]['inputs'])
    assert not torch.equal(items[Draw(30, 1)]['inputs'], items[Draw(30, 2)]['inputs'])


def test_workers_do_not_change_a_batch(tiny_store):
    def batches(workers):
        items = dataset(tiny_store)
        sampler = TwoStreamSampler(items, 2, 2, seed=1, batches_per_epoch=3)
        loader = DataLoader(
            items, 4, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate
        )
        return [torch.stack(batch['inputs']) for batch in loader]

    for alone, shared in zip(batches(0), batches(2), strict=True):
        assert torch.equal(alone, shared)


def test_a_role_without_slices_is_named(tiny_store, tmp_path):
    copy = shutil.copytree(tiny_store, tmp_path / 'store')
    roles = np.load(copy / 'splits' / 'default.npy')
    np.save(copy / 'splits' / 'default.npy', np.where(roles == 2, 0, roles))
    with pytest.raises(StoreError, match="'default'.*'unlabelled'"):
        dataset(copy)


@pytest.mark.parametrize(
    'field, value, named', [('infection', 0, 'infection mask'), ('label', -1, 'class')]
)
def test_a_labelled_case_that_lacks_something_is_named(tiny_store, tmp_path, field, value, named):
    copy = shutil.copytree(tiny_store, tmp_path / 'store')
    index = np.load(copy / 'index.npy')
    names = [case.name for case in SliceStore(copy).cases]
    index[field][index['case'] == names.index('p20')] = value
    np.save(copy / 'index.npy', index)
    with pytest.raises(StoreError, match=f"without {named}: .'p20'.*unlabelled"):
        dataset(copy)


def test_a_strong_view_that_is_missing_is_named(tiny_store):
    items = dataset(tiny_store, ['unlabelled'], [dict(type='PackCTInputs', two_views=True)])
    with pytest.raises(KeyError, match='StrongView'):
        items[0]


@pytest.fixture
def leaking(tiny_store, tmp_path):
    root = shutil.copytree(tiny_store, tmp_path / 'store')
    finding = dict(what='file', cases=['a', 'b'], parts=['test', 'training'])
    record = root / 'splits' / 'default.json'
    record.write_text(json.dumps({**json.loads(record.read_text()), 'leaks': [finding]}))
    return root


@pytest.mark.parametrize('roles', [['labelled', 'unlabelled'], ['val'], ['test']])
def test_a_split_that_leaks_is_refused_with_the_finding_and_the_remedy(leaking, roles):
    with pytest.raises(StoreError, match=r'case a \(test\).*case b.*same file.*allow_leaks=True'):
        dataset(leaking, roles, PLAIN)


def test_a_split_that_leaks_is_served_when_told_to(leaking, tiny_store):
    assert len(dataset(leaking, allow_leaks=True)) == len(dataset(tiny_store))


def test_a_split_that_nobody_checked_is_served_with_a_warning_that_says_how(leaking, monkeypatch):
    said = []
    monkeypatch.setattr(slice_dataset, 'print_log', lambda text, *_: said.append(text))
    record = leaking / 'splits' / 'default.json'
    record.write_text(json.dumps(dict(parameters={}, patients={}, leaks=[])))
    dataset(leaking)
    assert said == []
    record.write_text(json.dumps(dict(parameters={}, patients={})))
    dataset(leaking)
    assert len(said) == 1 and '--name default --recheck' in said[0]


def test_a_role_that_is_named_twice_is_refused(tiny_store):
    with pytest.raises(ValueError, match="'labelled', 'unlabelled', 'labelled'.*twice"):
        dataset(tiny_store, ['labelled', 'unlabelled', 'labelled'])


@pytest.mark.parametrize('window', [(250, -1250), (0, 0)])
def test_a_window_that_shows_nothing_or_the_negative_is_refused(tiny_store, window):
    with pytest.raises(ValueError, match='window=.*low < high'):
        dataset(tiny_store, window=window)
