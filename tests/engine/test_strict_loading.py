"""What is tested or validated has the weights of the file, all of them; a start may have fewer."""

import pytest
import torch
import toy

from xaicovid_mm.engine.checkpoint import read_checkpoint
from xaicovid_mm.utils.errors import CheckpointError

SPOILT = {
    'no weights': lambda w: {'a': 0},
    'none at all': lambda w: {},
    'renamed': lambda w: {f'x.{name}': tensor for name, tensor in w.items()},
    'one missing': lambda w: dict([*w.items()][1:]),
    'one more': lambda w: w | {'more': torch.ones(1)},
    'reshaped': lambda w: {name: tensor[None] for name, tensor in w.items()},
    'NaN': lambda w: {name: torch.full_like(t, float('nan')) for name, t in w.items()},
    'infinite': lambda w: {name: torch.full_like(t, float('inf')) for name, t in w.items()},
}


@pytest.fixture
def spoil(tmp_path, whole_run):
    def spoilt(how):
        weights = {
            name: tensor.float()
            for name, tensor in read_checkpoint(whole_run / toy.LAST)['state_dict'].items()
        }
        torch.save({'state_dict': SPOILT[how](weights)}, tmp_path / 'spoilt.pth')
        return str(tmp_path / 'spoilt.pth')

    return spoilt


@pytest.mark.parametrize('how', SPOILT)
def test_validation_of_weights_that_are_not_those_of_the_network_stops(how, spoil, tmp_path):
    runner = toy.build_toy(tmp_path / 'run', load_from=spoil(how))
    with pytest.raises(CheckpointError, match='spoilt.pth'):
        runner.val()


@pytest.mark.parametrize('how', ['renamed', 'reshaped'])
def test_no_hook_gets_weights_that_do_not_fit(how, spoil, tmp_path):
    runner = toy.build_toy(tmp_path / 'run', load_from=spoil(how))
    called = []
    runner.call_hook = lambda name, **given: called.append(name)
    with pytest.raises(CheckpointError, match='spoilt.pth does not fit'):
        runner.load_checkpoint(spoil(how), strict=True)
    assert 'after_load_checkpoint' not in called


@pytest.mark.parametrize(
    'how', ['no weights', 'none at all', 'renamed', 'reshaped', 'NaN', 'infinite']
)
def test_a_start_with_nothing_to_take_stops(how, spoil, tmp_path):
    runner = toy.build_toy(tmp_path / 'run', load_from=spoil(how))
    with pytest.raises(CheckpointError, match='spoilt.pth'):
        runner.load_or_resume()


@pytest.mark.parametrize('how, named', [('one missing', '1 missing'), ('one more', '1 unknown')])
def test_a_start_with_some_weights_goes_on_and_says_what_it_took(how, named, spoil, tmp_path):
    runner = toy.build_toy(tmp_path / 'run', load_from=spoil(how))
    said = []
    runner.logger.info = said.append
    runner.load_or_resume()
    assert any('took' in line and named in line for line in said)
