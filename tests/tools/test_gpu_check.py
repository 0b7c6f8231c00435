"""The check of a GPU: its CPU half, and what it says without a GPU."""

import functools
import json
import sys
from pathlib import Path

import pytest
import torch

from xaicovid_mm.engine.config import load_config

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def gpu_check(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.delitem(sys.modules, 'gpu_check', raising=False)
    import gpu_check

    return gpu_check


@pytest.fixture
def checks(gpu_check):
    """The module that has the parts of the check; it is found beside ``gpu_check``."""
    import benchmark_utils.device_checks as checks

    return checks


def test_without_a_gpu_it_says_so_and_checks_nothing(gpu_check, capsys, tmp_path):
    gpu_check.main(['--out', str(tmp_path / 'gpu.json')])
    assert 'torch finds no GPU' in capsys.readouterr().out
    assert not (tmp_path / 'gpu.json').exists()


def test_the_cpu_half_times_a_step_and_compares_the_cpu_with_itself(
    gpu_check, checks, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr(gpu_check, 'WORKERS', (0,))
    for slow in ('resumes_to_the_bit', 'trains_distributed'):  # the distributed tests have these
        monkeypatch.setattr(checks, slow, lambda *_: dict(passed=True))
    monkeypatch.setattr(gpu_check, 'OPTIONS', {'float32': gpu_check.OPTIONS['float32']})
    gpu_check.main(['--without-gpu', '--side', '32', '--steps', '1', '--out', str(tmp_path / 'g')])
    found = json.loads((tmp_path / 'g').read_text())
    assert found['equal to the CPU']['difference'] == dict.fromkeys(
        ('logits', 'prob', 'losses', 'saliency', 'label'), 0.0
    )
    assert 0.9 < found['equal to the CPU']['cosine_bfloat16'] <= 1
    step = found['step, float32']
    assert step['slices_per_s'] == pytest.approx(step['slices'] / step['ms']['semi'] * 1e3)
    assert step['peak_mib'] is None and step['gpu_busy_percent'] is None
    assert found['loader']['by_workers']['0'] > 0


def test_the_config_takes_every_option_and_a_cpu_leaves_out_what_only_a_gpu_has(
    gpu_check, tiny_store, monkeypatch
):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    for options in gpu_check.OPTIONS.values():
        cfg = load_config(gpu_check.FULL, dict(options))
        for key, value in options.items():
            assert functools.reduce(getattr, key.split('.'), cfg) == value
    args = gpu_check._parser().parse_args([])
    assert set(gpu_check._options(args, 'cuda')) - set(gpu_check._options(args, 'cpu')) == {
        'pinned, non-blocking'
    }


def test_a_part_that_fails_is_named_and_the_others_go_on(
    gpu_check, checks, capsys, tmp_path, monkeypatch
):
    def broken(*_):
        raise RuntimeError('no such kernel')

    for part in ('equal_to_cpu', 'resumes_to_the_bit', 'trains_distributed'):
        monkeypatch.setattr(checks, part, broken)
    monkeypatch.setattr(gpu_check, 'OPTIONS', {})
    monkeypatch.setattr(gpu_check, 'WORKERS', (0,))
    with pytest.raises(SystemExit) as stopped:
        gpu_check.main(['--without-gpu', '--side', '32', '--out', str(tmp_path / 'g')])
    assert stopped.value.code == 1
    found = json.loads((tmp_path / 'g').read_text())
    assert found['resume']['error'] == 'RuntimeError: no such kernel'
    assert 'machine' in found and 'loader' in found
    assert 'failed: equal to the CPU, resume, distributed' in capsys.readouterr().out


def test_weights_that_differ_after_a_resume_are_named(checks, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, '_train', lambda *_: None)
    ends = iter(
        [{'a': torch.zeros(2), 'b': torch.ones(1)}, {'a': torch.zeros(2), 'b': torch.zeros(1)}]
    )
    monkeypatch.setattr(checks, '_weights', lambda path: next(ends))
    found = checks.resumes_to_the_bit(tmp_path, tmp_path, tmp_path)
    assert found == dict(weights=2, other=['b'], passed=False)
