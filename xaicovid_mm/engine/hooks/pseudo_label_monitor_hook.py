"""Warn when pseudo labels collapse or do not start."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...structures import CTSample
from .pseudo_label_start import has_started

_SYMPTOMS = {
    'background': 'the pseudo masks are all background: unlabelled slices teach "no infection"',
    'foreground': 'the pseudo masks are all infection: unlabelled slices teach "infection '
    'everywhere"',
    'silent': 'loss_u is zero or missing: unlabelled slices teach nothing about infection',
}
_REMEDY = (
    'Compare the sources on some slices (PseudoLabelAuditHook), start pseudo labels later '
    '(start_epoch, start_when) or check calibration and bg_weight'
)


@HOOKS.register_module()
class PseudoLabelMonitorHook(Hook):
    """Warn once per episode of collapsed pseudo masks, and say when they recovered.

    It records ``train/pseudo_foreground``, the share in [0, 1] of the unlabelled slices' pixels
    whose pseudo mask is above 0.5, for each batch with pseudo masks. Batches without any neither
    start nor end an episode. With several ranks, rank 0 speaks of its own slices.

    Args:
        patience: Iterations on end before it is called an episode.
        low: Masks with a smaller share of foreground count as all background, in [0, 1].
        high: Masks with a larger share count as all foreground, in [0, 1].
        start_by_epoch: Warn if pseudo labels have not started by this epoch, counted from 0.

    Raises:
        ValueError: If patience is below 1 or the bounds are not 0 <= low < high <= 1.
    """

    priority = 'NORMAL'

    def __init__(
        self, patience: int = 100, low: float = 0.001, high: float = 0.999, start_by_epoch: int = 50
    ) -> None:
        if patience < 1 or not 0 <= low < high <= 1:
            raise ValueError(
                f'patience={patience}, low={low}, high={high}: give a patience of 1 or more and '
                '0 <= low < high <= 1'
            )
        self.patience, self.low, self.high = patience, low, high
        self.start_by_epoch = start_by_epoch
        self._streaks = dict.fromkeys(_SYMPTOMS, 0)
        self._delay_reported = False

    def before_train_epoch(self, runner: Runner) -> None:
        """Warn once if pseudo labels have not started by ``start_by_epoch``."""
        late = runner.epoch >= self.start_by_epoch and not has_started(runner)
        if late and not self._delay_reported:
            self._delay_reported = True
            runner.logger.warning(
                f'pseudo labels have not started after {runner.epoch} epochs: so far this is '
                'training on the labelled slices alone. Compare start_when of PseudoLabelHook with '
                'the validation metrics above, or give it start_epoch'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Record the share of foreground and follow each symptom."""
        share = _foreground_share((data_batch or {}).get('data_samples') or [])
        if share is None:
            return
        runner.message_hub.update_scalar('train/pseudo_foreground', share)
        present = {
            'background': share < self.low,
            'foreground': share > self.high,
            'silent': torch.as_tensor((outputs or {}).get('loss_u', 0.0)).item() == 0,
        }
        for symptom, is_present in present.items():
            self._follow(runner, symptom, is_present, share)

    def _follow(self, runner: Runner, symptom: str, is_present: bool, share: float) -> None:
        """Count the iterations of a symptom; warn when it becomes an episode and when that ends."""
        before = self._streaks[symptom]
        self._streaks[symptom] = before + 1 if is_present else 0
        where = f'iteration {runner.iter + 1}, {share:.2%} of pixels above 0.5'
        if self._streaks[symptom] == self.patience:
            runner.logger.warning(
                f'for {self.patience} iterations on end {_SYMPTOMS[symptom]} ({where}). {_REMEDY}'
            )
        elif not is_present and before >= self.patience:
            runner.logger.warning(
                f'over after {before} iterations ({where}): {_SYMPTOMS[symptom].split(":")[0]}'
            )


def _foreground_share(samples: list[CTSample]) -> float | None:
    """Share of pixels above 0.5 in the unlabelled samples' pseudo masks; ignored pixels left out.

    None without masks; not a number if every pixel is ignored.
    """
    masks = [s.pseudo_mask for s in samples if not s.is_labelled and 'pseudo_mask' in s]
    if not masks:
        return None
    stacked = torch.stack(masks)
    return float((stacked[stacked >= 0] > 0.5).float().mean())
