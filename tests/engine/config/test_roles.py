"""Training reads training patients, its validation those of validation, and nothing hidden."""

import pytest

from xaicovid_mm.engine.config import load_config
from xaicovid_mm.utils.errors import ConfigError

SEMI = 'configs/quick/recommended_semi.py'
LUNGS = 'configs/lung/unet.py'
ORACLE = 'configs/comparison/oracle.py'


@pytest.mark.parametrize('config', [SEMI, LUNGS])
@pytest.mark.parametrize(
    'key, roles',
    [
        ('train_dataloader.dataset', ['labelled', 'test']),
        ('train_dataloader.dataset', ['labelled', 'val']),
        ('train_dataloader.dataset', ['none']),
        ('val_dataloader.dataset', ['test']),
        ('val_dataloader.dataset', ['val', 'labelled']),
        ('val_dataloader.dataset', ['unlabelled']),
    ],
)
def test_patients_of_another_part_are_refused_by_key_and_role(config, key, roles):
    with pytest.raises(ConfigError, match=rf'{key}\.roles is .*{roles[-1]}.*only .* may be read'):
        load_config(config, {f'{key}.roles': roles})


@pytest.mark.parametrize('hook', ['evidence_fit', 'pseudo_label_audit'])
def test_no_hook_of_a_training_reads_test_patients(hook):
    place = f'default_hooks.{hook}.dataset.roles'
    with pytest.raises(ConfigError, match=rf"{place} is \['test'\]"):
        load_config(SEMI, {place: ['test']})


def test_a_dataset_inside_another_is_looked_at_too():
    inner = [dict(type='SliceDataset', roles=['test'])]
    options = {'train_dataloader.dataset': dict(type='ConcatDataset', datasets=inner)}
    with pytest.raises(ConfigError, match=r'train_dataloader\.dataset\.datasets\.0\.roles'):
        load_config(SEMI, options)


@pytest.mark.parametrize(
    'place', ['train_dataloader', 'val_dataloader', 'default_hooks.evidence_fit']
)
def test_hidden_masks_are_refused_to_whatever_teaches_or_chooses(place):
    key = f'{place}.dataset.reveal'
    with pytest.raises(ConfigError, match=f'{key} is True.*masks and classes'):
        load_config(SEMI, {key: True})


@pytest.mark.parametrize('scale', ['quick', 'real_ct', '.'])
def test_the_oracle_and_the_audit_of_our_configs_may_open_them(scale, monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', scale)
    assert load_config(ORACLE).train_dataloader.dataset.reveal
    assert load_config(SEMI).default_hooks.pseudo_label_audit.dataset.reveal


def test_the_oracle_without_its_hook_is_a_method_that_sees_true_masks(monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', 'quick')
    with pytest.raises(ConfigError, match='reveal is True'):
        load_config(ORACLE, {'default_hooks.pseudo_label.type': 'PseudoLabelHook'})


def test_a_test_may_look_at_any_patients():
    options = {'test_dataloader.dataset.roles': ['labelled']}
    assert load_config(SEMI, options).test_dataloader.dataset.roles == ['labelled']
