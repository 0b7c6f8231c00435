"""What a model was trained with travels with it, and a test on anything else is refused."""

import copy

import numpy as np
import pytest
import torch
import toy

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.engine.checkpoint import read_checkpoint
from xaicovid_mm.engine.provenance import (
    provenance,
    provenance_of,
    refuse_other_data,
    refuse_other_settings,
    shared_settings,
)
from xaicovid_mm.utils.errors import CheckpointError

MODEL = dict(type='Net', norm=dict(type='IN'), loss_weights=dict(eta=1.0))


def store_of(root, size=(8, 8)):
    writer = StoreWriter(root, size, 'hu', {'kind': 'test'})
    for name in 'abc':
        image = np.arange(2 * np.prod(size), dtype=np.float32).reshape(2, *size)
        writer.add_case(StoreCase(name=name, patient=name, site='x', image=image, label=0))
    writer.close()
    write_split(SliceStore(root), 'default', dict(labelled=['a'], unlabelled=['b'], test=['c']))
    return root


def config(store, split='default', model=MODEL, **dataset):
    data = dict(store=str(store), split=split, **dataset)
    loader = dict(dataset=dict(data, roles=['labelled']))
    return dict(model=model, train_dataloader=loader, test_dataloader=copy.deepcopy(loader))


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path / 'store')


def test_the_same_data_and_settings_pass_whatever_else_a_test_sets(store):
    then, now = provenance(config(store)), config(store)
    now['test_dataloader']['dataset']['roles'] = ['test']
    now['test_evaluator'] = [dict(type='A', out_file='x')]
    tested = provenance(now, 'test_dataloader')
    refuse_other_data(tested, then, 'a.pth')
    refuse_other_settings(shared_settings(now, 'test_dataloader'), then, 'a.pth')
    assert tested['config_sha256'] == then['config_sha256']


def test_a_split_of_the_same_name_made_again_is_refused(store):
    then = provenance(config(store))
    write_split(SliceStore(store), 'default', dict(labelled=['c'], unlabelled=['b'], test=['a']))
    with pytest.raises(CheckpointError, match="a.pth was trained with another split 'default'"):
        refuse_other_data(provenance(config(store)), then, 'a.pth')


def test_another_store_is_refused_by_name_with_both_hashes(store, tmp_path):
    then = provenance(config(store))
    now = provenance(config(store_of(tmp_path / 'other', (4, 4))))
    with pytest.raises(CheckpointError, match='another store') as error:
        refuse_other_data(now, then, 'a.pth')
    assert then['store_sha256'][:12] in str(error.value)
    assert now['store_sha256'][:12] in str(error.value) and '--allow-changes' in str(error.value)


@pytest.mark.parametrize(
    'changed, named',
    [
        (dict(model={**MODEL, 'norm': dict(type='BN')}), 'model.norm.type'),
        (dict(window=(-1000, 0)), 'dataset.window'),
    ],
)
def test_a_setting_that_changes_what_the_network_computes_is_named(store, changed, named):
    then = provenance(config(store))
    with pytest.raises(CheckpointError, match=f'other values of {named}: give'):
        refuse_other_settings(shared_settings(config(store, **changed)), then, 'a.pth')


def test_a_setting_that_only_training_reads_may_differ(store):
    then = provenance(config(store))
    now = config(store, model={**MODEL, 'loss_weights': dict(eta=2.0)})
    refuse_other_settings(shared_settings(now), then, 'a.pth')
    assert provenance(now)['config_sha256'] != then['config_sha256']


def test_a_list_and_a_tuple_are_the_same_setting(store):
    one, other = (config(store, window=kind((-1000, 0))) for kind in (list, tuple))
    assert provenance(one) == provenance(other)


@pytest.mark.parametrize('checkpoint', [{}, dict(meta=None), dict(meta=dict(provenance=[1]))])
def test_weights_that_say_nothing_are_not_refused(store, checkpoint):
    then = provenance_of(checkpoint)
    assert then == {}
    refuse_other_data(provenance(config(store)), then, 'a.pth')
    refuse_other_settings(shared_settings(config(store)), then, 'a.pth')


def test_without_a_slice_store_there_is_nothing_to_compare():
    assert provenance(dict(train_dataloader=dict(dataset=dict(type='ToySet')))) == {}


def test_a_second_run_in_a_work_dir_is_refused_and_both_remedies_are_named(whole_run):
    before = read_checkpoint(whole_run / toy.LAST)['state_dict']
    with pytest.raises(FileExistsError, match=r'epoch_4.pth.*--resume.*another --work-dir'):
        toy.build_toy(whole_run).train()
    after = read_checkpoint(whole_run / toy.LAST)['state_dict']
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_run_that_left_no_checkpoint_may_be_started_again(tmp_path):
    (tmp_path / 'run.json').write_text('{}')
    toy.build_toy(tmp_path, train_cfg=dict(by_epoch=True, max_epochs=1)).train()
    assert (tmp_path / 'epoch_1.pth').is_file()
