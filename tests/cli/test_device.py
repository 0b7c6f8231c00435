"""--device: what torch sees, and what is refused."""

import os

import pytest
import torch

from xaicovid_mm.cli.options import VISIBLE, use_device
from xaicovid_mm.cli.train import _parser


@pytest.mark.parametrize(
    ('name', 'before', 'after'),
    [
        (None, '0,1', '0,1'),
        ('cpu', '0,1', ''),
        ('cuda', '0,1', '0,1'),
        ('cuda:1', '4,7', '7'),  # of those that this process sees
        ('cuda:1', '', '1'),
    ],
)
def test_only_that_device_is_seen(monkeypatch, name, before, after):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setenv(VISIBLE, before)
    use_device(name)
    assert os.environ[VISIBLE] == after


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setenv(VISIBLE, '')
    with pytest.raises(ValueError, match='--device cuda: torch finds no such GPU: give cpu'):
        use_device('cuda')


@pytest.mark.parametrize('name', ['gpu', 'cuda:', 'cuda:-1', 'cuda:one', ''])
def test_another_word_is_an_error_of_usage(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        _parser().parse_args(['config.py', '--device', name])
    assert stopped.value.code == 2
    assert 'none of cpu, cuda and cuda:N' in capsys.readouterr().err
