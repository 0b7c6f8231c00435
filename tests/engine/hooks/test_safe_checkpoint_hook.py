"""Which checkpoints are kept; that they are whole is tested with the runner."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from xaicovid_mm.engine.hooks import SafeCheckpointHook


@pytest.fixture
def runner(request):
    return SimpleNamespace(epoch=3, message_hub=MessageHub.get_instance(request.node.name))


def test_the_best_epoch_is_noted_and_a_worse_one_is_not(runner):
    keeper = SafeCheckpointHook(save_best='seg/dice')
    for score in (0.4, 0.6, 0.5, float('nan')):
        keeper.after_val_epoch(runner, {'seg/dice': score})
    assert runner.message_hub.get_info('best_checkpoint')['score'] == 0.6


def test_a_best_metric_that_validation_does_not_give_is_named(runner):
    with pytest.raises(KeyError, match='seg/dice.*cls/auc'):
        SafeCheckpointHook(save_best='seg/dice').after_val_epoch(runner, {'cls/auc': 0.5})


@pytest.mark.parametrize(
    'wrong', [dict(interval=0), dict(max_keep=0), dict(keep_every=-1), dict(rule='best')]
)
def test_the_keeper_refuses_what_would_lose_checkpoints(wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        SafeCheckpointHook(**wrong)
