import os
import time

import numpy as np
import pytest
import torch
import toy

from xaicovid_mm.engine.checkpoint import (
    POINTER,
    epoch_checkpoints,
    find_latest,
    read_checkpoint,
    write_checkpoint,
)
from xaicovid_mm.utils.errors import CheckpointError, ConfigError

KILLED = -9
KILLS = [
    *(('iteration', count) for count in (1, 4, 5, 10, 16)),
    *(('validation', count) for count in (2, 4, 7, 16)),
    *(('half', count) for count in (1, 2, 3, 4, 5, 8)),
    *(('fsync', count) for count in (1, 2, 4, 6, 9, 12, 16)),
    *(('replace', count) for count in (1, 2, 3, 5, 7)),
    *(('replaced', count) for count in (1, 2, 3, 4, 6)),
    *(('unlink', count) for count in (1, 2, 3)),
]


@pytest.mark.slow
@pytest.mark.parametrize('kill', KILLS, ids=lambda kill: '-'.join(map(str, kill)))
def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path, whole_run, kill):
    assert toy.in_child(toy.train, tmp_path, kill) == KILLED
    found = epoch_checkpoints(tmp_path)
    if (tmp_path / POINTER).exists():  # one was written: one must be there and sound
        assert found
    if found:
        read_checkpoint(find_latest(tmp_path))
    assert toy.in_child(toy.train, tmp_path, resume=True) == 0
    assert toy.differing(toy.settled_state(tmp_path), toy.settled_state(whole_run)) == []
    best = [sorted(p.name for p in d.glob('best_*')) for d in (tmp_path, whole_run)]
    assert best[0] == best[1] and len(best[0]) == 1
    assert not list(tmp_path.glob('.partial.*'))


def test_a_killed_run_with_lasting_workers_goes_on_as_if_nothing_had_been(tmp_path):
    for name, kill in (('whole', None), ('killed', ('iteration', 11))):
        toy.in_child(toy.train, tmp_path / name, kill, workers=1)
    assert toy.in_child(toy.train, tmp_path / 'killed', resume=True, workers=1) == 0
    whole, resumed = (toy.settled_state(tmp_path / name) for name in ('whole', 'killed'))
    assert toy.differing(whole, resumed) == []


def test_the_toy_would_show_random_states_that_are_not_restored(tmp_path, whole_run):
    assert toy.in_child(toy.train, tmp_path, ('iteration', 10)) == KILLED
    path = find_latest(tmp_path)
    state = read_checkpoint(path)
    state['random_states'][0]['torch'] = torch.Generator().manual_seed(99).get_state()
    write_checkpoint(state, path)
    assert toy.in_child(toy.train, tmp_path, resume=True) == 0
    differing = toy.differing(toy.settled_state(tmp_path), toy.settled_state(whole_run))
    assert '/state_dict/net.0.weight' in differing


def _train_two_ranks(work_dir, kill=None, **kwargs):
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    metric = dict(type='ToyMetric', collect_device='gpu')  # without files in .dist_test
    kwargs |= dict(model_wrapper_cfg=wrapper, val_evaluator=metric)
    toy.train(work_dir, kill, launcher='pytorch', **kwargs)


def test_two_ranks_go_on_as_if_nothing_had_been(tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert toy.in_ranks(_train_two_ranks, tmp_path / 's1', whole) == [0, 0]
    codes = toy.in_ranks(_train_two_ranks, tmp_path / 's2', killed, ('iteration', 5))
    assert KILLED in codes and 0 not in codes
    assert toy.in_ranks(_train_two_ranks, tmp_path / 's3', killed, resume=True) == [0, 0]
    states = toy.settled_state(whole)
    assert toy.differing(states, toy.settled_state(killed)) == []
    assert len(read_checkpoint(whole / toy.LAST)['random_states']) == 2

    (whole / 'one').mkdir()
    overrides = dict(resume=True, load_from=str(whole / toy.LAST), train_cfg=FIVE_EPOCHS)
    assert toy.in_child(toy.train, whole / 'one', **overrides) == 0
    assert 'a run with 2 ranks, this one has 1' in toy.warnings_of(whole / 'one')


FIVE_EPOCHS = dict(by_epoch=True, max_epochs=5)


@pytest.fixture
def copied_run(tmp_path, whole_run):
    """A work dir with epoch 4 of the whole run as epoch 4 and as epoch 3."""
    content = (whole_run / toy.LAST).read_bytes()
    for epoch in (3, 4):
        (tmp_path / f'epoch_{epoch}.pth').write_bytes(content)
    return tmp_path


def _resume(work_dir, **overrides):
    runner = toy.build_toy(work_dir, resume=True, **overrides)
    runner.train()
    return runner


def test_resume_skips_a_damaged_checkpoint_and_names_it(copied_run):
    newest = copied_run / toy.LAST
    newest.write_bytes(newest.read_bytes()[:-500])
    runner = _resume(copied_run)
    assert runner.epoch == 4
    assert runner._load_from.endswith('epoch_3.pth')
    assert f'skipped for resuming: {newest}' in toy.warnings_of(copied_run)


def test_resume_stops_if_every_checkpoint_is_damaged(copied_run):
    for path in copied_run.glob('*.pth'):
        path.write_bytes(b'PK')
    with pytest.raises(CheckpointError, match=r"2 checkpoints, none .*'epoch_4.pth'"):
        _resume(copied_run)


def test_resume_in_an_empty_work_dir_says_that_it_starts_anew(tmp_path):
    toy.build_toy(tmp_path, resume=True).load_or_resume()
    assert 'has no checkpoint: training starts anew' in toy.warnings_of(tmp_path)


def test_no_config_text_is_in_a_checkpoint(whole_run):
    assert b'batch_size' not in (whole_run / toy.LAST).read_bytes()


def test_config_text_in_a_checkpoint_is_not_executed(copied_run, tmp_path):
    made = tmp_path / 'made'
    text = f'import os\nos.mkdir({str(made)!r})\n'
    state = read_checkpoint(copied_run / toy.LAST)
    state['meta'] |= dict(config=text, cfg=text)
    state['message_hub']['runtime_info'] |= dict(cfg=text, config=text)
    write_checkpoint(state, copied_run / toy.LAST)
    assert _resume(copied_run).epoch == 4
    assert not made.exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda state: state.pop('optimizer'), r"no \['optimizer'\]: it holds weights, not a run"),
        (lambda state: state.pop('random_states'), r"no \['random_states'\]"),
        (lambda state: state['meta'].pop('epoch'), "does not fit this run: KeyError: 'epoch'"),
        (lambda state: state['meta'].update(epoch=-3), 'epoch -3, iteration .* no place in a'),
        (lambda state: state['meta'].update(iter=0), 'epoch 4, iteration 0 is no place in a'),
        (lambda state: state.update(meta='text'), 'does not fit this run: TypeError'),
        (lambda state: state.update(message_hub={}), 'does not fit this run'),
        (lambda state: state['param_schedulers'].pop(), 'does not fit this run: ValueError'),
        (lambda state: state['state_dict'].popitem(), 'does not fit the model'),
        (
            lambda state: state['state_dict'].update({'net.0.bias': torch.ones(3)}),
            'not fit the mod',
        ),
        (lambda state: state['optimizer']['param_groups'].pop(), 'does not fit this run'),
        (lambda state: state['random_states'][0].pop('torch'), "this run: KeyError: 'torch'"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name(copied_run, change, message):
    state = read_checkpoint(copied_run / toy.LAST)
    change(state)
    write_checkpoint(state, copied_run / toy.LAST)
    with pytest.raises(CheckpointError, match=message) as caught:
        _resume(copied_run)
    assert toy.LAST in str(caught.value)


def test_a_run_that_is_over_says_that_nothing_is_left_to_train(copied_run):
    assert _resume(copied_run).epoch == 4
    assert 'is of epoch 4, the config has max_epochs=4: nothing is left' in toy.warnings_of(
        copied_run
    )


def test_weights_alone_can_be_loaded(tmp_path, whole_run):
    weights = read_checkpoint(whole_run / toy.LAST)['state_dict']
    torch.save({'state_dict': weights}, tmp_path / 'weights.pth')
    runner = toy.build_toy(tmp_path, load_from=str(tmp_path / 'weights.pth'))
    runner.load_or_resume()
    assert torch.equal(runner.model.net[0].weight, weights['net.0.weight'])


def test_another_seed_on_resume_is_reported(copied_run):
    _resume(copied_run, randomness=dict(seed=8))
    assert 'trained with seed 3, this run has 8' in toy.warnings_of(copied_run)


def test_without_a_named_hook_checkpoints_are_safe_ones(tmp_path):
    toy.build_toy(tmp_path / 'plain', default_hooks={}).train()
    assert find_latest(tmp_path / 'plain').name == toy.LAST
    with pytest.raises(ConfigError, match="take type='SafeCheckpointHook'"):
        toy.build_toy(
            tmp_path / 'other', default_hooks=dict(checkpoint=dict(type='CheckpointHook'))
        )


def test_a_storage_backend_is_refused(tmp_path):
    with pytest.raises(ValueError, match='only local files'):
        toy.build_toy(tmp_path).save_checkpoint(
            str(tmp_path), 'a.pth', backend_args=dict(backend='petrel')
        )


@pytest.mark.slow
def test_runs_killed_at_any_time_leave_a_sound_checkpoint(tmp_path, whole_run):
    """One run, killed again and again at random moments until it ends."""
    rng, kills = np.random.default_rng(0), 0
    start = time.monotonic()
    assert toy.in_child(toy.train, tmp_path / 'clock') == 0
    whole = time.monotonic() - start
    for _ in range(40):
        child = toy._FORK.Process(target=toy.train, args=(tmp_path,), kwargs=dict(resume=True))
        child.start()
        time.sleep(whole * rng.uniform(0.1, 0.7))
        os.kill(child.pid, 9)
        child.join()
        if (tmp_path / POINTER).exists():
            read_checkpoint(find_latest(tmp_path))
        if child.exitcode == 0:
            break
        kills += 1
    assert kills > 0
    assert toy.in_child(toy.train, tmp_path, resume=True) == 0
    assert toy.differing(toy.settled_state(tmp_path), toy.settled_state(whole_run)) == []


def test_every_second_epoch_stays_beside_the_newest(tmp_path):
    keeper = dict(type='SafeCheckpointHook', max_keep=1, keep_every=2)
    toy.build_toy(tmp_path, checkpoint=keeper, train_cfg=dict(by_epoch=True, max_epochs=5)).train()
    kept = sorted(path.name for path in tmp_path.glob('epoch_*.pth'))
    assert kept == ['epoch_2.pth', 'epoch_4.pth', 'epoch_5.pth']
