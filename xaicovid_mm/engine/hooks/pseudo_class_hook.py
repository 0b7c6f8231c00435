"""Pseudo-Label (Lee, 2013): the network's own class of an unlabelled slice becomes its label."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...utils.model import eval_mode, unwrap_model


@HOOKS.register_module()
class PseudoClassHook(Hook):
    """Label each unlabelled slice with the class that the network predicts from its weak view.

    The weight of these labels is ``loss_weights['beta_u']`` of the model. It is 0 before ``begin``,
    grows linearly, and is ``weight`` from ``end`` on. While it is 0, unlabelled slices leave the
    batch.

    Args:
        begin: Epoch T1 of Lee, counted from 0.
        end: Epoch T2 of Lee.
        weight: a_f of Lee, who has 3.
        confidence: Slices whose highest probability is lower get no label; Lee has 0. The loss
            stays the mean over all unlabelled slices of the batch, as in FixMatch.
        view: The view that learns the label: 'weak' (Lee) or 'strong' (FixMatch).

    Raises:
        ValueError: Unless 0 <= begin <= end and 0 <= confidence < 1, or for another ``view``.
    """

    priority = 'LOW'

    def __init__(
        self,
        begin: int,
        end: int,
        weight: float = 3.0,
        confidence: float = 0.0,
        view: str = 'weak',
    ) -> None:
        if not 0 <= begin <= end:
            raise ValueError(f'begin={begin}, end={end}: give 0 <= begin <= end')
        if not 0 <= confidence < 1:
            raise ValueError(f'confidence={confidence} must lie in [0, 1)')
        if view not in ('weak', 'strong'):
            raise ValueError(f"view={view!r}: choose 'weak' or 'strong'")
        self.view_key = 'weak_inputs' if view == 'weak' else 'inputs'
        self.begin, self.end, self.weight, self.confidence = begin, end, weight, confidence

    def ramp(self, epoch: float) -> float:
        """Return the weight after so many epochs; fractions count."""
        if epoch < self.begin:
            return 0.0
        length = self.end - self.begin
        return self.weight * (min((epoch - self.begin) / length, 1.0) if length else 1.0)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Label the unlabelled slices, or take them out.

        Raises:
            KeyError: If the batch has no weak views.
        """
        if data_batch is None or 'weak_inputs' not in data_batch:
            raise KeyError(
                'the batch has no weak_inputs: use PackCTInputs(two_views=True) in the pipeline of '
                'a run with PseudoClassHook'
            )
        views, samples = data_batch[self.view_key], data_batch['data_samples']
        weak = data_batch.pop('weak_inputs')
        model = unwrap_model(runner.model)
        weight = self.ramp(runner.iter / len(runner.train_dataloader))
        keep = [i for i, sample in enumerate(samples) if sample.is_labelled]
        rows = [i for i, sample in enumerate(samples) if not sample.is_labelled]
        if rows and weight:
            images = model.data_preprocessor({'inputs': [weak[i] for i in rows]})['inputs']
            with eval_mode(model), torch.no_grad():
                probs, classes = model.classify(model.features(images)).softmax(1).max(1)
            for i, prob, label in zip(rows, probs.tolist(), classes, strict=True):
                if prob >= self.confidence:
                    samples[i].pseudo_label = label
                    keep.append(i)
            weight *= sum('pseudo_label' in samples[i] for i in rows) / len(rows)
        model.loss_weights['beta_u'] = weight
        data_batch['inputs'] = [views[i] for i in keep]
        data_batch['data_samples'] = [samples[i] for i in keep]
