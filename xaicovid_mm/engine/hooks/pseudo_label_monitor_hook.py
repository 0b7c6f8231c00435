"""Say when pseudo labels collapse or do not start, and keep what each slice was taught."""

import math
from collections import deque
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import HOOKS
from ...utils.model import unwrap_model
from .pseudo_label_record import SLICES_FILE, PseudoLabelRecord
from .pseudo_label_start import has_started
from .pseudo_label_symptoms import (
    POOLED,
    SYMPTOMS,
    Sums,
    is_growing,
    pooled,
    sums_of,
    symptoms_of,
)

BLOCKS = 10
"""Blocks of iterations in the window; what is judged is a block, as single batches are noisy."""
SHARE = 0.8
"""Share of the blocks that must show a symptom; so a healthy batch here and there hides nothing."""

_REMEDY = (
    'Compare the sources on some slices (PseudoLabelAuditHook), find the slices that teach wrongly '
    f'in {SLICES_FILE}, start pseudo labels later (start_epoch, start_when) or check calibration '
    'and bg_weight'
)


@HOOKS.register_module()
class PseudoLabelMonitorHook(Hook):
    """Say once per episode that the pseudo masks have collapsed, and when that is over.

    It watches the masks' area and its drift, the area of the labelled slices, whether masks are
    coherent, whether those of different slices differ, and whether they agree with what the decoder
    gives for the same slices in the training step; ``SYMPTOMS`` has them in words. A symptom is an
    episode when most blocks of a window of iterations show it.

    It records ``train/pseudo_foreground``, the share in [0, 1] of the unlabelled slices' pixels
    whose pseudo mask is above 0.5, for each batch with pseudo masks, and after each epoch writes a
    row per slice to ``pseudo_label_slices.csv`` in the work dir, see ``PseudoLabelRecord``.

    Batches without pseudo masks neither start nor end an episode. With several ranks each rank
    judges its own slices, and rank 0 speaks.

    Args:
        patience: Iterations of the window.
        low: Masks with a smaller share of foreground count as all background, in [0, 1].
        high: Masks with a larger share count as all foreground, in [0, 1].
        start_by_epoch: Warn if pseudo labels have not started by this epoch, counted from 0.
        on_alarm: 'warn', or 'stop' to end the run with an error.

    Raises:
        ValueError: If patience is below 1, the bounds are not 0 <= low < high <= 1, or for another
            ``on_alarm``.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        patience: int = 100,
        low: float = 0.001,
        high: float = 0.999,
        start_by_epoch: int = 50,
        on_alarm: str = 'warn',
    ) -> None:
        if patience < 1 or not 0 <= low < high <= 1:
            raise ValueError(
                f'patience={patience}, low={low}, high={high}: give a patience of 1 or more and '
                '0 <= low < high <= 1'
            )
        if on_alarm not in ('warn', 'stop'):
            raise ValueError(f"on_alarm={on_alarm!r}: choose 'warn' or 'stop'")
        self.patience, self.low, self.high = patience, low, high
        self.start_by_epoch, self.on_alarm = start_by_epoch, on_alarm
        self.block = max(patience // BLOCKS, 1)
        window = math.ceil(patience / self.block)
        self.needed = math.ceil(SHARE * window)
        self._verdicts: dict[str, deque[bool]] = {name: deque(maxlen=window) for name in SYMPTOMS}
        self._blocks: deque[Sums] = deque(maxlen=self.needed)
        self._began: dict[str, int] = {}
        self._batches: list[Sums] = []
        self._silent = 0
        self._record = PseudoLabelRecord()
        self._logits: Tensor | None = None
        self._delay_reported = False

    def before_train(self, runner: Runner) -> None:
        """Listen to the decoder, which costs no further forward pass."""
        decoder = getattr(unwrap_model(runner.model), 'decode_head', None)
        if isinstance(decoder, nn.Module):
            decoder.register_forward_hook(self._listen)

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
        """Record what was taught and follow each symptom.

        Raises:
            ValueError: With ``on_alarm='stop'``, when the masks have collapsed on some rank.
        """
        logits, self._logits = self._logits, None
        samples = (data_batch or {}).get('data_samples') or []
        rows = [i for i, s in enumerate(samples) if not s.is_labelled and 'pseudo_mask' in s]
        if not rows:
            return
        images = (data_batch or {}).get('inputs') or [None] * len(samples)
        masks = torch.stack([samples[i].pseudo_mask for i in rows]).float()
        teaching = ~(masks < 0)
        if images[rows[0]] is not None:
            teaching &= torch.stack([images[i] for i in rows]).to(masks.device) != 0
        prob = _prob(logits, masks)
        known = [
            (s.infection.to(masks.device), _lung(image, s.infection).to(masks.device))
            for s, image in zip(samples, images, strict=False)
            if s.is_labelled and 'infection' in s
        ]
        share = float((masks[masks >= 0] > 0.5).float().mean())
        runner.message_hub.update_scalar('train/pseudo_foreground', share)
        self._record.add([samples[i] for i in rows], masks, teaching, prob)
        self._batches.append(sums_of(masks, teaching, prob, known))
        self._silent += torch.as_tensor((outputs or {}).get('loss_u', 0.0)).item() == 0
        alarms = self._judge(runner, share) if len(self._batches) == self.block else []
        self._stop_if(alarms)

    def after_train_epoch(self, runner: Runner) -> None:
        """Append this epoch's row of each slice to ``pseudo_label_slices.csv``."""
        if has_started(runner):
            model = unwrap_model(runner.model)
            self._record.write(Path(runner.work_dir), runner.epoch + 1, model)

    def _listen(self, module: nn.Module, args: Any, output: Any) -> None:
        self._logits = output.detach() if isinstance(output, Tensor) else None

    def _judge(self, runner: Runner, share: float) -> list[str]:
        """Judge a block of iterations; return the symptoms that became an episode."""
        block = pooled(self._batches)
        self._blocks.append(block)
        full = len(self._blocks) == self.needed
        window = pooled(self._blocks if full else [])
        present = {
            **symptoms_of(block, window, self.low, self.high),
            'silent': self._silent == self.block,
            'growing': full and is_growing([*self._blocks]),
        }
        self._batches, self._silent = [], 0
        where = f'iteration {runner.iter + 1}, {share:.2%} of pixels above 0.5'
        return [name for name, seen in present.items() if self._follow(runner, name, seen, where)]

    def _follow(self, runner: Runner, name: str, seen: bool, where: str) -> bool:
        """Follow a symptom; say when it becomes an episode, and when that ends."""
        verdicts = self._verdicts[name]
        verdicts.append(seen)
        count = sum(verdicts)
        needed = 1 if name in POOLED else self.needed
        if count >= needed and name not in self._began:
            self._began[name] = runner.iter
            runner.logger.warning(
                f'for most of the last {self.patience} iterations {SYMPTOMS[name]} ({where}). '
                f'{_REMEDY}'
            )
            return True
        if name in self._began and not seen and 2 * count < self.needed:
            began = self._began.pop(name)
            runner.logger.warning(
                f'over after {runner.iter - began + self.patience} iterations ({where}): '
                f'{SYMPTOMS[name].split(":")[0]}'
            )
        return False

    def _stop_if(self, alarms: list[str]) -> None:
        if self.on_alarm != 'stop':
            return
        found = torch.tensor(float(bool(alarms)))
        all_reduce(found, 'max')  # all ranks stop together, or one would wait for ever
        if found:
            words = SYMPTOMS[alarms[0]] if alarms else 'the pseudo masks of another rank collapsed'
            raise ValueError(f"stopped, as on_alarm='stop' wants: {words}. {_REMEDY}")


def _prob(logits: Tensor | None, masks: Tensor) -> Tensor | None:
    """The decoder's probabilities, if it was heard last on these very slices."""
    if logits is None or logits.ndim != 4 or logits.shape[:2] != masks.shape[:2]:
        return None
    if logits.shape[-2:] != masks.shape[-2:]:
        logits = F.interpolate(logits, masks.shape[-2:], mode='bilinear', align_corners=False)
    return logits.float().sigmoid().to(masks.device)


def _lung(image: Tensor | None, mask: Tensor) -> Tensor:
    return torch.ones_like(mask, dtype=torch.bool) if image is None else image != 0
