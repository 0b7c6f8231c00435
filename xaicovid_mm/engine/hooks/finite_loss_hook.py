"""Stop at the first loss that is not a number."""

import math
from collections.abc import Mapping

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """End the run at the first NaN or infinite loss and say on which slices it arose.

    It checks every iteration, right after the step, so spoilt weights never reach a checkpoint.
    Before each checkpoint it checks the weights as well: a gradient can overflow while its loss is
    still finite.

    Note:
        With several ranks one number is exchanged per iteration, so that all ranks stop together
        and none waits for one that has stopped.
    """

    priority = 'VERY_HIGH'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Check all losses of this iteration.

        Raises:
            FloatingPointError: If one is NaN or infinite, here or on another rank.
        """
        terms = {name: value for name, value in (outputs or {}).items() if 'loss' in name}
        losses = {name: torch.as_tensor(value).item() for name, value in terms.items()}
        spoilt = [name for name, value in losses.items() if not math.isfinite(value)]
        where = f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}'
        culprit = _first_rank_with(bool(spoilt))
        if spoilt:
            raise FloatingPointError(
                f'{", ".join(spoilt)} not finite at {where}; all losses: {losses}; slices of the '
                f'batch: {_sample_ids(data_batch)}. Look at these slices and their masks; if they '
                f'are in order, {_remedy(runner)}'
            )
        if culprit is not None:
            raise FloatingPointError(
                f'a loss of rank {culprit} is not finite at {where}; its own message names the '
                f'slices. If they are in order, {_remedy(runner)}'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to save weights that are not finite.

        Raises:
            FloatingPointError: If there are any, naming them.
        """
        spoilt = [
            name
            for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not torch.isfinite(value).all()
        ]
        if spoilt:
            raise FloatingPointError(
                f'{len(spoilt)} weights are not finite after epoch {runner.epoch}, the first is '
                f'{spoilt[0]}; no checkpoint is written of them: {_remedy(runner)}'
            )


def _first_rank_with(flag: bool) -> int | None:
    """The lowest rank whose ``flag`` is set, None if no rank's is."""
    world = get_world_size()
    if world == 1:
        return 0 if flag else None
    votes = torch.tensor(world - get_rank() if flag else 0)
    all_reduce(votes, op='max')
    return world - int(votes) if votes > 0 else None


def _sample_ids(data_batch: Mapping | None) -> list[str]:
    samples = (data_batch or {}).get('data_samples') or []
    return [str(sample.get('sample_id', 'without a sample_id')) for sample in samples]


def _remedy(runner: Runner) -> str:
    return (
        'lower the learning rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=...)) or '
        f'train without AMP. Checkpoints in {runner.work_dir} are from before and sound: go on '
        'from them with --resume'
    )
