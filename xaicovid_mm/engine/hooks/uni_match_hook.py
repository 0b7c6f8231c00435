"""UniMatch (Yang et al., 2023): one label for two strong views and for dropped features."""

import torch
from mmengine.runner import Runner

from ...models import MultiTaskModel
from ...registry import HOOKS
from ...structures import CTSample
from .pseudo_label_hook import PseudoLabelHook


@HOOKS.register_module()
class UniMatchHook(PseudoLabelHook):
    """Give the label of a weak view to two strong views and, for ``UniMatchModel``, to itself.

    Each unlabelled slice is then in the batch three times. Its second strong view, of
    ``TwoStrongViews``, comes with the sample. Arguments are those of ``PseudoLabelHook``.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Label the unlabelled slices as ``PseudoLabelHook``, and add their other two views.

        Raises:
            KeyError: If the batch has no weak views, or a sample no second strong view.
        """
        self._weak: list[tuple[torch.Tensor, CTSample]] = []
        super().before_train_iter(runner, batch_idx, data_batch)
        if not self._weak or data_batch is None:
            return
        views, samples = data_batch['inputs'], data_batch['data_samples']
        seconds = [self._second(sample) for _, sample in self._weak]
        labels = [CTSample(metainfo=s.metainfo, pseudo_mask=s.weak_mask) for _, s in self._weak]
        if self.paste:  # from the end, or the boxes would be those of the first strong views
            known = [i for i, sample in enumerate(samples) if sample.is_labelled]
            all_views = [*seconds[::-1], *(views[i] for i in known)]
            all_samples = [*labels[::-1], *(samples[i] for i in known)]
            self._mix(runner, all_views, all_samples, list(range(len(seconds))))
            seconds, labels = all_views[: len(seconds)], all_samples[: len(labels)]
        data_batch['inputs'] = [*views, *seconds, *(view for view, _ in self._weak)]
        data_batch['data_samples'] = [*samples, *labels, *(sample for _, sample in self._weak)]

    def _label(
        self, model: MultiTaskModel, weak: list[torch.Tensor], samples: list[CTSample]
    ) -> None:
        super()._label(model, weak, samples)
        for view, sample in zip(weak, samples, strict=True):
            labelled = CTSample(metainfo=sample.metainfo, weak_mask=sample.pseudo_mask)
            if 'second_view' in sample:
                labelled.second_view = sample.pop('second_view')
            self._weak.append((view, labelled))

    def _second(self, sample: CTSample) -> torch.Tensor:
        if 'second_view' not in sample:
            raise KeyError(
                f'slice {sample.sample_id} has no second strong view: put TwoStrongViews in place '
                'of StrongView'
            )
        return sample.pop('second_view')
