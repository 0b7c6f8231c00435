"""A bar where somebody looks at a terminal, plain lines where nobody does."""

import sys

import pytest
import toy

from xaicovid_mm.engine.hooks.progress_bar_hook import ProgressBarHook

BAR = dict(type='ProgressBarHook')
SHORT = dict(train_cfg=dict(by_epoch=True, max_epochs=2), hooks=[BAR], log_level='INFO')


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    def train(terminal, **options):
        for name in ('FORCE_COLOR', 'TTY_COMPATIBLE', 'NO_COLOR'):
            monkeypatch.delenv(name, raising=False)
        if terminal:
            monkeypatch.setenv('FORCE_COLOR', '1')  # rich takes the output for a terminal
        runner = toy.build_toy(tmp_path, **SHORT | options)
        runner.train()
        return capsys.readouterr().out, next(tmp_path.glob('*/*.log')).read_text()

    return train


def test_a_terminal_shows_epoch_losses_and_time_left_and_no_line_of_each_step(shown):
    screen, log = shown(terminal=True)
    assert 'epoch 2/2' in screen and 'loss ' in screen and '100 %' in screen and 'left' in screen
    assert 'Epoch(' not in screen and 'saved epoch_2.pth' in screen
    assert 'validation after epoch 2: toy/score ' in screen
    assert 'Epoch(train)' in log and 'epoch 2/2' not in log


def test_a_file_gets_plain_lines(shown):
    screen, log = shown(terminal=False)
    assert 'Epoch(train)' in screen and 'epoch 2/2' not in screen and '\x1b[?25l' not in screen
    assert 'Epoch(train)' in log


def test_the_terminal_is_given_back_however_training_ends(tmp_path, monkeypatch):
    monkeypatch.setenv('FORCE_COLOR', '1')
    before = sys.stdout
    runner = toy.build_toy(tmp_path, **SHORT)

    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.ToyStartHook, 'after_train_iter', stop)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    (hook,) = [hook for hook in runner._hooks if isinstance(hook, ProgressBarHook)]
    assert sys.stdout is before and hook._progress is None
