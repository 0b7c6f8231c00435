"""A resumed run is compared with the run that wrote its checkpoint."""

from dataclasses import replace

import pytest

from xaicovid_mm.engine.run_record import RECORD, RunRecord, changed_settings, refuse_changes
from xaicovid_mm.utils.errors import CheckpointError


def config(store, **changes):
    optimizer = dict(type=changes.get('kind', 'Adam'), lr=changes.get('lr', 0.1))
    dataset = dict(store=str(store), split='default')
    return dict(
        work_dir='w',
        optim_wrapper=dict(optimizer=optimizer),
        train_dataloader=dict(batch_size=changes.get('batch', 4), dataset=dataset),
    )


def test_the_same_run_differs_in_nothing_wherever_its_store_lies(tiny_store, tmp_path):
    link = tmp_path / 'elsewhere'
    link.symlink_to(tiny_store)
    now, then = RunRecord.of(config(link)), RunRecord.of(config(tiny_store))
    refuse_changes(now, then, 'a.pth')
    assert changed_settings(now, then) == []


def test_each_setting_that_differs_is_said_to_be_kept_or_taken(tiny_store):
    now = RunRecord.of(config(tiny_store, lr=0.2, batch=8))
    rate, batch = changed_settings(now, RunRecord.of(config(tiny_store)))
    assert rate.startswith('optim_wrapper.optimizer.lr is 0.2, it was 0.1') and 'kept' in rate
    assert batch.startswith('train_dataloader.batch_size is 8, it was 4') and 'taken' in batch


@pytest.mark.parametrize(
    'change, named',
    [
        (dict(data={'train_dataloader.dataset': 'x'}), 'split of train_dataloader.dataset'),
        (dict(code={'models/a.py': 'x'}), 'the code'),
    ],
)
def test_other_data_or_code_is_refused_by_name(tiny_store, change, named):
    then = RunRecord.of(config(tiny_store))
    with pytest.raises(CheckpointError, match=f'{named}.*--allow-changes'):
        refuse_changes(replace(then, **change), then, 'a.pth')


def test_another_kind_of_optimizer_is_refused(tiny_store):
    now, then = (RunRecord.of(config(tiny_store, kind=kind)) for kind in ('SGD', 'Adam'))
    with pytest.raises(CheckpointError, match="optimizer.type is 'SGD', it was 'Adam'"):
        refuse_changes(now, then, 'a.pth')


def test_a_record_comes_back_and_a_damaged_one_is_none(tiny_store, tmp_path):
    record = RunRecord.of(config(tiny_store))
    record.write(tmp_path)
    assert RunRecord.read(tmp_path) == record
    (tmp_path / RECORD).write_text('{}')
    assert RunRecord.read(tmp_path) is None
