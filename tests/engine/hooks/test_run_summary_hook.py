"""The first lines of a run say what is trained on, and nothing that training must not see."""

import logging
from types import SimpleNamespace

import pytest
import torch
import toy
from mmengine import Config

from xaicovid_mm.datasets.slice_dataset import SliceDataset
from xaicovid_mm.engine.hooks.run_summary_hook import RunSummaryHook
from xaicovid_mm.engine.terminal_log import terminal_handlers

PLAIN = [dict(type='PackCTInputs')]


def summary(store, **options):
    train, val = (
        SliceDataset(store, 'default', roles, PLAIN, **kept)
        for roles, kept in ((['labelled', 'unlabelled'], options), (['val'], {}))
    )
    lines = []
    runner = SimpleNamespace(
        train_dataloader=torch.utils.data.DataLoader(train, batch_size=8),
        val_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=val)),
        cfg=Config(dict(train_dataloader=dict(dataset=dict(split='default')))),
        model=torch.nn.Linear(1, 1),
        max_epochs=5,
        epoch=2,
        work_dir='w',
        logger=SimpleNamespace(info=lines.append, log_file='w/a.log'),
    )
    RunSummaryHook().before_train(runner)
    return lines[0].splitlines()


def cells(lines, role):
    return next(line for line in lines if line.split()[:1] == [role]).split()[1:]


def test_patients_slices_and_classes_are_counted_by_role_in_about_ten_lines(tiny_store):
    lines = summary(tiny_store)
    assert cells(lines, 'labelled') == ['6', '24', '6', '8', '8', '8']
    assert cells(lines, 'val') == ['3', '12', '3', '4', '4', '4']
    assert any("split 'default'" in line and str(tiny_store) in line for line in lines)
    assert 'steps: 5 epochs of 6 batches of 8 slices per process, from epoch 3 on' in lines
    assert any(line.startswith('device: cpu') for line in lines)
    assert any('w/a.log' in line for line in lines) and len(lines) <= 10


@pytest.mark.parametrize(
    'options, counts',
    [
        (dict(), ['hidden', 'hidden', 'hidden', 'hidden']),
        (dict(weak_labels=True), ['hidden', '8', '8', '8']),
        (dict(reveal=True), ['6', '8', '8', '8']),
    ],
)
def test_what_training_must_not_see_of_unlabelled_slices_is_not_counted(
    tiny_store, options, counts
):
    assert cells(summary(tiny_store, **options), 'unlabelled') == ['6', '24', *counts]


def test_the_terminal_shows_no_config_no_hooks_and_no_weights(tmp_path, capsys):
    hooks = [dict(type='RunSummaryHook')]
    runner = toy.build_toy(tmp_path, hooks=hooks, log_level='INFO')
    assert capsys.readouterr().out == ''
    assert [handler.level for handler in terminal_handlers(runner.logger)] == [logging.INFO]
    runner._init_model_weights()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'Config:' in log and 'Hooks will be executed' in log
    assert 'Initialization information' not in log and capsys.readouterr().out == ''
