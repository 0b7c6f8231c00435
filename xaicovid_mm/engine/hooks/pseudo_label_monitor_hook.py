"""Say so when pseudo labels stop teaching."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...structures import CTSample
from .pseudo_label_start import is_open

_SYMPTOMS = {
    'background': 'the pseudo masks are all background: unlabelled slices teach "no infection"',
    'foreground': 'the pseudo masks are all infection: unlabelled slices teach "infection '
    'everywhere"',
    'silent': 'loss_u is zero or missing: unlabelled slices teach nothing about infection',
}
_REMEDY = (
    'Compare the sources on some slices (PseudoLabelAuditHook), let the gate open later or check '
    'calibration and bg_weight'
)


@HOOKS.register_module()
class PseudoLabelMonitorHook(Hook):
    """Warn once per episode of collapsed pseudo masks, and say when they recovered.

    It records ``train/pseudo_foreground``, the share in [0, 1] of the unlabelled slices' pixels
    whose pseudo mask is above 0.5, for each batch with pseudo masks. Batches without any neither
    start nor end an episode. With several ranks, rank 0 speaks of its own slices.

    Args:
        patience: Iterations on end before it is called an episode.
        low: Masks with a smaller share of foreground count as all background.
        high: Masks with a larger share count as all foreground.
        gate_epochs: Epochs after which a gate that is still shut is reported.

    Raises:
        ValueError: If patience is below 1 or the bounds are not 0 <= low < high <= 1.
    """

    priority = 'NORMAL'

    def __init__(
        self, patience: int = 100, low: float = 0.001, high: float = 0.999, gate_epochs: int = 50
    ) -> None:
        if patience < 1 or not 0 <= low < high <= 1:
            raise ValueError(
                f'patience={patience}, low={low}, high={high}: give a patience of 1 or more and '
                '0 <= low < high <= 1'
            )
        self.patience, self.low, self.high = patience, low, high
        self.gate_epochs = gate_epochs
        self._streaks = dict.fromkeys(_SYMPTOMS, 0)
        self._gate_reported = False

    def before_train_epoch(self, runner: Runner) -> None:
        """Report a gate that has not opened, once."""
        shut = not is_open(runner)
        if shut and runner.epoch >= self.gate_epochs and not self._gate_reported:
            self._gate_reported = True
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
        for symptom, seen in present.items():
            self._follow(runner, symptom, seen, share)

    def _follow(self, runner: Runner, symptom: str, seen: bool, share: float) -> None:
        before = self._streaks[symptom]
        self._streaks[symptom] = before + 1 if seen else 0
        where = f'iteration {runner.iter + 1}, {share:.2%} of pixels above 0.5'
        if self._streaks[symptom] == self.patience:
            runner.logger.warning(
                f'for {self.patience} iterations on end {_SYMPTOMS[symptom]} ({where}). {_REMEDY}'
            )
        elif not seen and before >= self.patience:
            runner.logger.warning(
                f'over after {before} iterations ({where}): {_SYMPTOMS[symptom].split(":")[0]}'
            )


def _foreground_share(samples: list[CTSample]) -> float | None:
    """Share of pixels above 0.5 of the unlabelled samples' pseudo masks, ignored ones apart.

    None without masks; not a number if every pixel is ignored.
    """
    masks = [s.pseudo_mask for s in samples if not s.is_labelled and 'pseudo_mask' in s]
    if not masks:
        return None
    stacked = torch.stack(masks)
    return float((stacked[stacked >= 0] > 0.5).float().mean())
