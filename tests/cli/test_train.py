"""What the command ``train`` makes of its arguments."""

import sys
from pathlib import Path

import pytest
import toy

from xaicovid_mm.cli.train import _parser, _work_dir, main
from xaicovid_mm.reproduction.training_log import training_curves


@pytest.mark.parametrize(
    'config, folder',
    [
        ('configs/semi_vgg.py', 'semi_vgg'),
        ('configs/quick/semi_vgg.py', 'quick_semi_vgg'),
        ('/a/configs/b/configs/real_ct/semi_vgg.py', 'real_ct_semi_vgg'),
        ('mine/semi.py', 'semi'),
        ('semi.py', 'semi'),
    ],
)
def test_no_two_of_our_configs_share_a_work_dir(config, folder):
    assert _work_dir(_parser().parse_args([config])) == f'work_dirs/{folder}'


def test_a_named_work_dir_is_taken():
    assert _work_dir(_parser().parse_args(['a.py', '--work-dir', 'w'])) == 'w'


@pytest.mark.parametrize(
    'package, options, line',
    [
        ('tensorboard', ['--tensorboard'], ''),
        ('wandb', [], "visualizer = dict(vis_backends=[dict(type='WandbVisBackend')])"),
    ],
)
def test_a_program_for_curves_that_is_not_installed_is_named_with_its_pip_line(
    package, options, line, tiny_store, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setitem(sys.modules, package, None)
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = '{Path('configs/quick/semi_vgg.py').absolute()}'\n{line}\n")
    with pytest.raises(SystemExit) as stop:
        main([str(config), '--work-dir', str(tmp_path), *options])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and f"pip install '.[{package}]'" in said
    assert 'Traceback' not in said


def test_curves_for_tensorboard_are_those_of_the_log(tmp_path):
    loader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    options = dict(train_cfg=dict(by_epoch=True, max_epochs=2))
    runner = toy.build_toy(
        tmp_path, visualizer=dict(type='Visualizer', vis_backends=backends), **options
    )
    runner.train()
    (events,) = tmp_path.glob('*/vis_data/events.out.tfevents.*')
    read = loader.EventAccumulator(str(events.parent))
    read.Reload()
    logged = training_curves(tmp_path)[1]['toy/score']
    drawn = [(event.step, event.value) for event in read.Scalars('toy/score')]
    assert drawn == [(step, pytest.approx(value)) for step, value in logged] and len(drawn) == 2
