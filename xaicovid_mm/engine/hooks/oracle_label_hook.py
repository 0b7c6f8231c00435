"""The oracle: true masks of the unlabelled slices in place of pseudo masks."""

import torch
from mmengine.runner import Runner

from ...explain.pseudo_labeler import IGNORED
from ...models import MultiTaskModel
from ...registry import HOOKS
from ...structures import CTSample
from .pseudo_label_hook import PseudoLabelHook


@HOOKS.register_module()
class OracleLabelHook(PseudoLabelHook):
    """Teach unlabelled slices their true masks: an upper bound of pseudo labels, never a method.

    It needs a dataset with ``reveal=True``. The classes that come with it are not learned. A slice
    whose mask nobody drew teaches nothing. Arguments are those of ``PseudoLabelHook``; the labeler
    is not asked.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Put the true masks in the place of pseudo masks, see ``PseudoLabelHook``.

        Raises:
            KeyError: If the batch has no weak views.
        """
        for sample in (data_batch or {}).get('data_samples', []):
            if not sample.is_labelled:
                sample.pop('label', None)
        super().before_train_iter(runner, batch_idx, data_batch)

    def _label(
        self, model: MultiTaskModel, weak: list[torch.Tensor], samples: list[CTSample]
    ) -> None:
        for view, sample in zip(weak, samples, strict=True):
            mask = sample.pop('infection', None)
            sample.pseudo_mask = torch.full_like(view, IGNORED) if mask is None else mask.float()
