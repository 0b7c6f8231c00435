"""A run whose loss is no number stops."""

from types import SimpleNamespace

import pytest
import torch

from xaicovid_mm.engine.hooks import FiniteLossHook
from xaicovid_mm.structures import CTSample


@pytest.fixture
def runner():
    return SimpleNamespace(epoch=3, iter=41, work_dir='work_dirs/x')


def batch():
    samples = [CTSample(metainfo=dict(sample_id=f'case/{i}', is_labelled=False)) for i in range(2)]
    return dict(data_samples=samples)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_loss_that_is_no_number_stops_the_run_with_the_names_of_the_slices(runner, value):
    losses = dict(loss=torch.tensor(value), loss_s=torch.tensor(value), loss_ce=torch.tensor(0.5))
    with pytest.raises(
        FloatingPointError, match='loss_s.*epoch 4, iteration 42.*case/0.*case/1'
    ) as e:
        FiniteLossHook().after_train_iter(runner, 0, batch(), losses)
    assert '--resume' in str(e.value)


def test_finite_losses_pass(runner):
    FiniteLossHook().after_train_iter(runner, 0, batch(), dict(loss=torch.tensor(1.0)))


def test_spoilt_weights_are_never_saved(runner):
    spoilt = dict(state_dict={'a': torch.ones(2), 'b.weight': torch.tensor([1.0, float('nan')])})
    with pytest.raises(FloatingPointError, match='b.weight'):
        FiniteLossHook().before_save_checkpoint(runner, spoilt)
