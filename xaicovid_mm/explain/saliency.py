"""Turn attributions into a saliency map in [0, 1]."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..registry import TASK_UTILS
from .activation_maps import inside_lungs, min_max
from .integrated_gradients import Score, integrated_gradients
from .lung_blur import blurred_lung
from .quadrature import path_rule

FEW_PIXELS = 100
"""With fewer pixels inside the lung a percentile means nothing, and the maximum takes its place."""


@TASK_UTILS.register_module()
class Saliency:
    """Integrated Gradients as a map in [0, 1].

    The magnitude of Eq. (7) is clipped at a percentile of the pixels inside the lung, as one large
    pixel would flatten the map, and is divided by it: 1 is that percentile, whatever the unit of
    the score. Where it is 0, as less of the lung has any evidence, the largest magnitude takes its
    place. Without any evidence the map is 0. The paper gives Eq. (7) alone.

    Args:
        steps: t of Eq. (7). Not in the paper.
        rule: Where the steps lie, see ``path_rule``.
        baseline: 'black' (the paper), 'mean' (the mean of the lung inside the lung) or 'blur' (the
            slice blurred inside the lung). From the last two the path is no scaling of the slice;
            instance norm hides scaling.
        output: F of Eq. (7): the class's 'logit', or its softmax 'prob', which saturates.
        sign: 'abs', or 'positive' for evidence in favour only.
        percentile: Where the magnitude is clipped, in (0, 100]; 100 clips nothing.

    Raises:
        ValueError: For another ``baseline``, ``output``, ``sign``, ``rule``, or numbers out of
            range.
    """

    def __init__(
        self,
        steps: int = 8,
        rule: str = 'right',
        baseline: str = 'black',
        output: str = 'logit',
        sign: str = 'abs',
        percentile: float = 99.0,
    ) -> None:
        if baseline not in BASELINES:
            raise ValueError(f'baseline={baseline!r}: choose one of {sorted(BASELINES)}')
        if output not in ('logit', 'prob'):
            raise ValueError(f"output={output!r}: choose 'logit' or 'prob'")
        if sign not in ('abs', 'positive'):
            raise ValueError(f"sign={sign!r}: choose 'abs' or 'positive'")
        if not 0 < percentile <= 100:
            raise ValueError(f'percentile={percentile} must lie in (0, 100]')
        path_rule(rule, steps)
        self.steps, self.rule, self.baseline = steps, rule, baseline
        self.output, self.sign, self.percentile = output, sign, percentile

    def __call__(self, classify: Callable[[Tensor], Tensor], images: Tensor, label: int) -> Tensor:
        """Return the map (B, 1, H, W) in [0, 1].

        Args:
            classify: Maps images to class logits (B, C).
            images: (B, 1, H, W), 0 outside the lung.
            label: The class whose evidence is wanted.
        """

        def score(x: Tensor) -> Tensor:
            logits = classify(x)
            return (logits if self.output == 'logit' else logits.softmax(1))[:, label]

        return self.of(score, images)

    def of(self, score: Score, images: Tensor) -> Tensor:
        """Return the map (B, 1, H, W) in [0, 1] of any score.

        Args:
            score: F of Eq. (7), see ``integrated_gradients``.
            images: (B, 1, H, W), 0 outside the lung.
        """
        if not len(images):
            return images.detach()[:, :1]
        start = BASELINES[self.baseline](images)
        signed = integrated_gradients(score, images, self.steps, self.rule, start).float()
        size = signed.abs() if self.sign == 'abs' else signed.clamp(min=0)
        peaks = [
            _peak(a[m], self.percentile) for a, m in zip(size, inside_lungs(images), strict=True)
        ]
        scale = torch.stack(peaks)[:, None, None, None]
        return min_max((size / torch.where(scale > 0, scale, 1.0)).clamp(max=1)).to(images.dtype)


def _peak(values: Tensor, percentile: float) -> Tensor:
    if not len(values):
        return values.new_zeros(())
    high = torch.quantile(values, percentile / 100) if len(values) >= FEW_PIXELS else values.max()
    return torch.where(high > 0, high, values.max())


def _lung_mean(images: Tensor) -> Tensor:
    lung = inside_lungs(images).float()
    total, size = (x.sum((1, 2, 3), keepdim=True) for x in (images.float(), lung))
    return (total / size.clamp(min=1) * lung).to(images.dtype)


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    'black': torch.zeros_like,
    'mean': _lung_mean,
    'blur': lambda images: blurred_lung(images, inside_lungs(images)),
}
"""Where the path of Eq. (7) may start: maps slices (B, 1, H, W) to their baselines."""
