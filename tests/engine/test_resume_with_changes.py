"""A run that is resumed with something changed says so or refuses, and keeps what it says."""

import json
import shutil

import pytest
import toy
from at_once import at_once

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.engine.run_record import RECORD
from xaicovid_mm.registry import DATASETS

LAST = 'epoch_2.pth'


@DATASETS.register_module()
class StoredToySet(toy.ToySet):
    """Says that it is of a store."""

    def __init__(self, store, split):
        self.store, self.split = store, split


def settings(store, epochs, batch=2, split='default', lr=0.05, milestones=(1, 3), **more):
    return dict(
        train_dataloader=dict(
            dataset=dict(type='StoredToySet', store=str(store), split=split),
            batch_size=batch,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr)),
        param_scheduler=[dict(type='MultiStepLR', milestones=list(milestones), gamma=0.5)],
        **more,
    )


@pytest.fixture(scope='module')
def started(tiny_store, tmp_path_factory):
    """A store and the work dir of a run of one epoch on it."""
    folder = tmp_path_factory.mktemp('started')
    shutil.copytree(tiny_store, folder / 'store')
    assert toy.in_child(toy.train, folder / 'run', **settings(folder / 'store', 1)) == 0
    return folder


@pytest.fixture
def resumed(started, tmp_path):
    """Resume a copy for a second epoch; gives the error and the log."""
    folder = tmp_path / 'copy'
    shutil.copytree(started, folder)

    def resume(change=lambda folder: None, **changed):
        change(folder)
        options = settings(folder / 'store', 2, **changed)
        ((_, error),) = at_once(lambda: toy.train(folder / 'run', resume=True, **options))
        return error, toy.warnings_of(folder / 'run')

    resume.run = folder / 'run'
    return resume


@pytest.fixture(scope='module')
def unchanged(started, tmp_path_factory):
    """What the run comes to if it is resumed as it was."""
    folder = tmp_path_factory.mktemp('unchanged') / 'copy'
    shutil.copytree(started, folder)
    options = settings(folder / 'store', 2)
    assert toy.in_child(toy.train, folder / 'run', resume=True, **options) == 0
    return toy.settled_state(folder / 'run', LAST)


@pytest.mark.parametrize(
    'changed, said',
    [
        (dict(lr=0.5), 'optim_wrapper.optimizer.lr is 0.5, it was 0.05: the old value is kept'),
        (
            dict(milestones=[1, 2]),
            'param_scheduler.0.milestones is [1, 2], it was [1, 3]: the old value is kept',
        ),
    ],
)
def test_a_rate_and_a_schedule_that_changed_are_told_and_the_old_ones_kept(
    changed, said, resumed, unchanged
):
    error, log = resumed(**changed)
    assert not error and said in log
    differing = toy.differing(toy.settled_state(resumed.run, LAST), unchanged)
    assert set(differing) <= {'/meta/provenance/config_sha256'}  # of what the config says


def test_a_batch_size_that_changed_is_told_and_taken(resumed):
    error, log = resumed(batch=4)
    assert not error
    assert 'train_dataloader.batch_size is 4, it was 2: the new value is taken' in log
    assert toy.settled_state(resumed.run, LAST)['/meta/iter'] == 4 + 2


def other_split(folder):
    store = SliceStore(folder / 'store')
    patients = sorted({case.patient for case in store.cases})
    roles = dict(labelled=patients[:6], unlabelled=patients[6:12], val=patients[12:15])
    write_split(store, 'other', {**roles, 'test': patients[15:]})


def other_store(folder):
    path = folder / 'store' / 'manifest.json'
    path.write_text(path.read_text() + ' ')


def other_code(folder):
    path = folder / 'run' / RECORD
    record = json.loads(path.read_text())
    record['code']['models/multi_task_model.py'] = 'another'
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    'change, changed, named',
    [
        (other_split, dict(split='other'), 'the store or the split of train_dataloader.dataset'),
        (other_store, {}, 'the store or the split of train_dataloader.dataset'),
        (other_code, {}, 'the code (models/multi_task_model.py)'),
    ],
)
def test_other_data_and_other_code_are_refused_unless_they_are_allowed(
    change, changed, named, resumed
):
    error, _ = resumed(change, **changed)
    assert named in error and '--allow-changes' in error
    assert not (resumed.run / LAST).exists()
    error, _ = resumed(**changed, allow_changes=True)
    assert not error and (resumed.run / LAST).is_file()
