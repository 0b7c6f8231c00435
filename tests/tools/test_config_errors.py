"""A typing error in a config or an option stops the tools in one line that names it."""

import argparse
import os
import runpy
from pathlib import Path

import pytest
from config_mutations import trials
from mmengine import Config

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.engine.config import argument_errors, load_config
from xaicovid_mm.engine.config.keys import check_options
from xaicovid_mm.engine.config.values import check_values, idle_custom_keys
from xaicovid_mm.utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures('store')
CONFIG = 'configs/quick/semi_vgg.py'
CUSTOM_KEYS = 'optim_wrapper.paramwise_cfg.custom_keys'
WITH_OPTIONS = {
    'tools/train.py': ('--work-dir', 'w'),
    'tools/test.py': ('epoch_1.pth',),
    'tools/publish_model.py': ('epoch_1.pth', 'model'),
    'tools/analysis_tools/figure_strip.py': ('epoch_1.pth',),
    'tools/analysis_tools/map_page.py': ('epoch_1.pth', '--out', 'maps'),
    'tools/analysis_tools/benchmark_train.py': ('--synthetic', '32', '--no-memory'),
}
"""Command that takes --cfg-options to its other arguments."""


@pytest.fixture
def refusal_of(tmp_path, monkeypatch, capsys):
    """The one line with which a command that takes --cfg-options refuses to go on."""

    def run(tool, *args):
        path = Path(tool).resolve()
        monkeypatch.syspath_prepend(str(path.parent))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(path))['main']([CONFIG, *args])
        assert stop.value.code == 2
        lines = capsys.readouterr().err.splitlines()
        (error,) = [line for line in lines if 'error: ' in line]
        return error

    return run


@pytest.fixture
def error_of(tmp_path, capsys):
    def run(tool, *args):
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(f'tools/{tool}.py')['main']([*args, '--work-dir', str(tmp_path / 'w')])
        lines = capsys.readouterr().err.splitlines()
        (error,) = [line for line in lines if line.startswith('error: ')]
        assert stop.value.code == 2
        return error

    return run


@pytest.mark.parametrize(
    'option, named',
    [
        ('optim_wraper.optimizer.lr=1', "no 'optim_wraper', did you mean 'optim_wrapper'"),
        ('train_cfg.max_epoch=2', "no 'max_epoch', did you mean 'max_epochs'"),
        ('train_dataloader.batch_sizes=2', "no 'batch_sizes', did you mean 'batch_size'"),
        ('randomness.sed=1', "no 'sed', did you mean 'seed'"),
        ('default_hooks.checkpont.interval=1', "no 'checkpont', did you mean 'checkpoint'"),
        ('default_hooks.pseudo_label.start_epch=1', "'start_epch', did you mean 'start_epoch'"),
        ('optim_wrapper.clip_gard=1', "no 'clip_gard', did you mean 'clip_grad'"),
        ('val_evaluator.7.out_file=x', "val_evaluator has no '7'"),
        ('log_level.x=1', "log_level has no 'x'"),
        ('model.backbone.extra.depth=1', "model.backbone has no 'extra'"),
        ('max_epochs=1', 'set the key that it went into (train_cfg.max_epochs)'),
        ('model.backbone.width=(1,2)', "no 'width', did you mean 'widths'"),
        ('model.eta=lots', "model has no 'eta', but there is model.loss_weights.eta"),
        ('model.backbone.type=MultiScaleVG', "no 'MultiScaleVG' to build, did you mean"),
        ('model.loss_weights.eta=lots', "'eta': 'lots'"),
        ('optim_wrapper.optimizer.lrr=1', "'lrr', did you mean 'lr'"),
        (f'{CUSTOM_KEYS}.predict_logit.lr_mlt=10', "lr_mlt is read by nothing, did you mean"),
    ],
)  # fmt: skip
def test_an_option_that_nothing_reads_is_named_with_the_nearest_that_is(option, named, error_of):
    assert named in error_of('train', CONFIG, '--cfg-options', option)


@pytest.mark.parametrize(
    'option',
    [
        'optim_wrapper.clip_grad.max_norm',
        'optim_wrapper.paramwise_cfg.norm_decay_mult',
        'train_dataloader.pin_memory',
        'randomness.diff_rank_seed',
        'val_cfg.fp16',
        'default_hooks.logger.interval',
        'val_evaluator.0.out_file',
        'model.decode_head.negative_slope',
        'param_scheduler.0.anything',  # its constructor will tell
        'work_dir',
        'compile',
    ],
)
def test_an_argument_that_the_file_leaves_at_its_default_may_be_set(option):
    check_options(Config.fromfile(CONFIG), {option: 1})


@pytest.mark.parametrize('tool', ['train', 'test'])
@pytest.mark.parametrize(
    'line, named',
    [
        ('default_hook = dict(a=dict(type="B"))', "'default_hook' is read by nothing, did you"),
        ('custom_hook = []', "'custom_hook' is read by nothing, did you mean 'custom_hooks'"),
        ('anything = dict(a=1)', "'anything' is read by nothing"),
        ("custom_imports = dict(imports='.ours')", 'config custom_imports: '),
    ],
)
def test_an_unknown_key_of_the_file_is_named(tool, line, named, tmp_path, error_of):
    config = tmp_path / 'typo.py'
    config.write_text(f"_base_ = '{os.path.abspath(CONFIG)}'\n{line}\n")
    checkpoint = ['epoch_1.pth'] if tool == 'test' else []
    assert named in error_of(tool, str(config), *checkpoint)


def test_a_variable_of_any_name_is_allowed(tmp_path):
    config = tmp_path / 'variable.py'
    config.write_text(f"_base_ = '{os.path.abspath(CONFIG)}'\nmy_patients = ['p01']\n")
    load_config(config)


def test_a_type_error_of_our_own_code_is_not_taken_for_a_typing_error():
    def faulty(argument):
        return argument + ''

    with pytest.raises(TypeError) as error, argument_errors():
        faulty(1)
    assert not isinstance(error.value, ConfigError)
    with pytest.raises(TypeError, match='unexpected keyword argument'), argument_errors():
        faulty(argumnt=1)


def test_a_plain_view_that_no_hook_takes_is_named_by_its_key():
    def forward(inputs):
        return inputs

    named = 'two_views: unlabelled slices get a weak view .* that no hook takes.*PseudoLabelHook'
    with pytest.raises(ConfigError, match=named), argument_errors(load_config(CONFIG)):
        forward(inputs=1, weak_inputs=1)


@pytest.mark.parametrize(
    'line, named',
    [
        ('train_cfg = dict(_delete_=True, tyep="EpochBasedTrainLoop", max_epochs=1)',
         "train_cfg.tyep is read by nothing, did you mean 'type'"),
        ('val_cfg = dict(_delete_=True, fp61=True)', "val_cfg.fp61 is read by nothing"),
    ],
)  # fmt: skip
def test_a_misspelt_key_of_what_has_a_default_type_is_named(line, named, tmp_path):
    config = tmp_path / 'typo.py'
    config.write_text(f"_base_ = '{os.path.abspath(CONFIG)}'\n{line}\n")
    with pytest.raises(ConfigError, match=named):
        load_config(config)


def test_a_custom_key_may_set_what_the_optimizer_takes():
    options = {f'{CUSTOM_KEYS}.predict_logit': dict(lr_mult=2, decay_mult=0, weight_decay=0.1)}
    assert load_config(CONFIG, options).optim_wrapper.paramwise_cfg.custom_keys.predict_logit


def test_a_misspelt_custom_key_is_refused(error_of, tmp_path):
    config = tmp_path / 'typo.py'
    rates = 'dict(paramwise_cfg=dict(custom_keys=dict(predict_logits=dict(lr_mult=3))))'
    config.write_text(f"_base_ = '{os.path.abspath(CONFIG)}'\noptim_wrapper = {rates}\n")
    error = error_of('train', str(config))
    assert f'{CUSTOM_KEYS}.predict_logits: no parameter' in error
    assert error.endswith("did you mean 'predict_logit'?")


def test_custom_keys_that_name_no_parameter_are_found():
    optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(conv_seg={}, bias={}, stages={})))
    names = ['backbone.stages.0.weight', 'backbone.stages.0.bias']
    assert idle_custom_keys(optim_wrapper, names) == ['conv_seg']
    assert idle_custom_keys(dict(type='OptimWrapper'), names) == []


@pytest.mark.parametrize('place', ['val_evaluator', 'test_evaluator'])
def test_two_metrics_of_the_same_names_are_refused_before_the_first_validation(place):
    metrics = [dict(type='DiagnosisMetric'), dict(type='InfectionMetric')]
    twin = dict(type='DiagnosisMetric', out_file='rows.csv')
    with pytest.raises(ConfigError, match=f'{place}.2 is a second DiagnosisMetric'):
        load_config(CONFIG, {place: [*metrics, twin]})
    load_config(CONFIG, {place: [*metrics, dict(twin, prefix='again')]})


def test_a_config_without_a_model_is_named():
    with pytest.raises(ConfigError, match='config model is not there: name the network'):
        check_values({})


def test_scaling_the_rate_asks_for_the_batch_size_it_belongs_to(error_of):
    assert 'auto_scale_lr.base_batch_size' in error_of('train', CONFIG, '--auto-scale-lr')


@pytest.mark.parametrize('pair', ['model', '=3', 'a..b=1', 'train_cfg=(1,['])
def test_an_option_that_is_no_pair_is_an_error_of_usage(pair, refusal_of):
    assert pair in refusal_of('tools/train.py', '--cfg-options', pair)


@pytest.mark.parametrize(
    'value', ["{'eta':2}", '{eta:2,beta:1}', 'dict(eta=2)', "[{'type':'MyHook'}]", ' [(1,{a:2})]']
)
def test_a_dict_is_refused_with_the_way_to_set_its_keys(value, refusal_of):
    said = refusal_of('tools/train.py', '--cfg-options', f'model.loss_weights={value}')
    assert 'gives a dict: set its keys one by one, as in model.loss_weights.KEY=VALUE' in said


def test_braces_in_a_text_are_no_dict():
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    options = parser.parse_args(['--cfg-options', 'name=epoch_{}.pth', 'widths=[1,(2,3)]'])
    assert options.cfg_options == dict(name='epoch_{}.pth', widths=[1, (2, 3)])


@pytest.mark.parametrize(
    'pair, named',
    [
        ('model', "argument --cfg-options: 'model' is not KEY.KEY=VALUE"),
        ('modl.backbone.widths=3', "no 'modl', did you mean 'model'"),
        ('max_epochs=1', 'is a variable of the config file'),
        ('model.backbone.widths=abc', "model.backbone.widths is 'abc' (str)"),
    ],
)
@pytest.mark.parametrize('tool', WITH_OPTIONS)
def test_every_command_with_options_refuses_them_in_one_line(tool, pair, named, refusal_of):
    assert named in refusal_of(tool, *WITH_OPTIONS[tool], '--cfg-options', pair)


def test_every_command_takes_options_by_the_same_door():
    for folder in ('xaicovid_mm/cli', 'tools'):
        for path in Path(folder).rglob('*.py'):
            assert path.name == 'options.py' or 'DictAction' not in path.read_text(), path


@pytest.mark.parametrize(
    'option, named',
    [
        ('model.backbone.widths=abc', "model.backbone.widths is 'abc' (str): Sequence[int]"),
        ('train_cfg.max_epochs=x', "train_cfg.max_epochs is 'x' (str): int"),
        ('train_cfg.val_interval=0', 'train_cfg.val_interval is 0: 1 or more'),
        ('optim_wrapper.optimizer.lr=nan', 'optim_wrapper.optimizer.lr is nan: a finite number'),
        ('optim_wrapper.optimizer.lr=-1', 'optim_wrapper.optimizer.lr is -1: more than 0'),
        ('optim_wrapper.optimizer.betas=(2,0.9)', 'config optim_wrapper.optimizer: Invalid beta'),
        ('train_dataloader.dataset.window=[250,-1250]', 'config train_dataloader.dataset: window='),
        ('train_dataloader.dataset.pipeline.0.scale=[1.5,1.2]',
         'config train_dataloader.dataset.pipeline.0: scale=[1.5, 1.2]: 0 < low <= high expected'),
        ('val_evaluator.0.threshold=7.0', 'config val_evaluator.0: threshold is 7.0'),
        ('train_dataloader.dataset.roles=3', 'train_dataloader.dataset.roles is 3 (int)'),
        ('default_hooks.logger.type=Nope', "there is no such hook"),
        ('default_hooks.logger.type=.LoggerHook', "logger.type is '.LoggerHook': the name of a cl"),
        ('model.cls_head.type=.PooledHead', "cls_head.type is '.PooledHead': the name of a class"),
        ('train_dataloader.num_workers=100000', '0 to 512'),
        ('train_dataloader.num_workers=-2', '0 to 512'),
        ('model.backbone=3', 'model.backbone is 3 (int): dict'),
        ('runner_type=os.system', "runner_type is 'os.system', one of ['CTRunner"),
        ('launcher=slurm', 'launcher: it is a flag, give --launcher'),
        ('allow_changes=True', 'allow_changes: it is a flag, give --allow-changes'),
        ('custom_imports.imports=[nosuch]', "custom_imports: ImportError: Failed to import nosuch"),
        ('train_cfg.max_epochs=True', 'train_cfg.max_epochs is True (bool): int'),
        ('optim_wrapper.optimizer.lr=True', 'optim_wrapper.optimizer.lr is True (bool): float'),
        ('env_cfg.mp_cfg.mp_start_method=x', "mp_start_method is 'x' (str): Literal['fork'"),
    ],
)  # fmt: skip
def test_a_value_that_nothing_can_be_built_from_is_named_with_what_is_expected(
    option, named, error_of
):
    assert named in error_of('train', CONFIG, '--cfg-options', option)


def test_a_damaged_config_trains_or_ends_in_one_line(tiny_store):
    for name, place, change, result, text in trials(tiny_store, count=8, seed=1):
        assert result in ('trained', 'named', 'unnamed'), (name, place, change, result, text)


@pytest.mark.parametrize(
    'options, sizes',
    [
        ({'train_dataloader.batch_size': 8}, (8, 4, 4)),
        ({'train_dataloader.sampler.labelled_per_batch': 2}, (10, 2, 8)),
        ({'train_dataloader.sampler.unlabelled_per_batch': 24}, (32, 8, 24)),
        (
            {
                'train_dataloader.batch_size': 6,
                'train_dataloader.sampler.labelled_per_batch': 2,
                'train_dataloader.sampler.unlabelled_per_batch': 4,
            },
            (6, 2, 4),
        ),
    ],
)
def test_batch_size_and_sampler_follow_each_other(options, sizes):
    loader = load_config(CONFIG, options).train_dataloader
    counts = loader.sampler.labelled_per_batch, loader.sampler.unlabelled_per_batch
    assert (loader.batch_size, *counts) == sizes


@pytest.mark.parametrize(
    'options, said',
    [
        (
            {'train_dataloader.batch_size': 7},
            'cannot be divided as sampler.labelled_per_batch 8 .* multiple of 2',
        ),
        (
            {
                'train_dataloader.batch_size': 7,
                'train_dataloader.sampler.labelled_per_batch': 2,
            },
            'batch_size is 7, and sampler.labelled_per_batch 2 .* make 10: let them agree',
        ),
    ],
)
def test_a_batch_that_the_sampler_cannot_fill_is_refused_by_name(options, said):
    with pytest.raises(ConfigError, match=said):
        load_config(CONFIG, options)


def test_a_supervised_batch_is_all_labelled():
    config = 'configs/quick/supervised_vgg.py'
    loader = load_config(config, {'train_dataloader.batch_size': 5}).train_dataloader
    assert (loader.batch_size, loader.sampler.labelled_per_batch) == (5, 5)
