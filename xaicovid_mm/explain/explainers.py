"""The maps of a network as explainers: one call from slices to maps, whatever the method."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..registry import TASK_UTILS
from ..utils.model import eval_mode
from .activation_maps import inside_lungs
from .fused_activation import FusedActivation, class_activation
from .grad_cam import grad_cam
from .infection_score import infection_mask, infection_score
from .integrated_gradients import completeness_gap, integrated_gradients
from .protocols import ExplainableModel
from .saliency import BASELINES, Saliency


class Explainer(Protocol):
    """Explains the class of each slice by a map.

    One that not every network can give has a method ``lacks(model)``: what the network lacks, as a
    clause, or '' if it has everything.
    """

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return maps (B, 1, H, W) of at least 0, in any unit, detached.

        Args:
            model: The network, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1], 0 outside the lungs.
            labels: (B,) integers, the class that is explained.
        """


def lacking_maps(explainers: Mapping[str, Explainer], model: ExplainableModel) -> dict[str, str]:
    """Return the maps that a network cannot give, by name, with what it lacks.

    Args:
        explainers: By the name of the map.
        model: The network, without any distributed wrapper.
    """
    asked = {name: getattr(explain, 'lacks', None) for name, explain in explainers.items()}
    return {name: why for name, lacks in asked.items() if lacks and (why := lacks(model))}


@TASK_UTILS.register_module()
class ActivationExplainer:
    """An activation map, see ``FusedActivation``.

    Args:
        source: As in ``FusedActivation``; 'class' is the class map that reports show, see
            ``class_activation``.
        fuse: How the scales become one map.

    Raises:
        ValueError: For another ``source`` or ``fuse``.
    """

    def __init__(self, source: str = 'caam', fuse: str = 'mean') -> None:
        self.fuse = fuse
        self.activation = None if source == 'class' else FusedActivation(source, fuse)

    def lacks(self, model: ExplainableModel) -> str:
        """Return what a network lacks for the map, see ``Explainer``."""
        if model.cls_head is None:
            return 'it has no cls_head'
        if hasattr(model.cls_head, 'class_maps'):
            return ''
        return f'its cls_head, {type(model.cls_head).__name__}, has no class activation maps'

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the maps (B, 1, H, W) in [0, 1].

        Raises:
            ValueError: If the network ``lacks`` something.
        """
        if lacking := self.lacks(model):
            raise ValueError(f'the network gives no activation map: {lacking}')
        activation = self.activation or class_activation(model.cls_head, self.fuse)

        def explain(rows: Tensor, label: int) -> Tensor:
            return activation(model.cls_head, model.features(rows), rows, label)

        with eval_mode(cast(nn.Module, model)), torch.no_grad():
            return _by_class(explain, images, labels)


@TASK_UTILS.register_module()
class SaliencyExplainer:
    """Integrated Gradients, see ``Saliency``.

    Args:
        kwargs: Of ``Saliency``.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.saliency = Saliency(**kwargs)

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the maps (B, 1, H, W) in [0, 1]."""

        def explain(rows: Tensor, label: int) -> Tensor:
            return self.saliency(lambda x: class_logits(model, x), rows, label)

        with eval_mode(cast(nn.Module, model)):
            return _by_class(explain, images, labels)

    def completeness_gap(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the size of the gap of Eq. (6) over that of F(x) - F(x'), (B,).

        0 is exact. NaN where F(x) and F(x') are the same. See ``completeness_gap``.
        """
        own = self.saliency

        def gap(rows: Tensor, label: int) -> Tensor:
            def score(x: Tensor) -> Tensor:
                logits = class_logits(model, x)
                return (logits if own.output == 'logit' else logits.softmax(1))[:, label]

            start = BASELINES[own.baseline](rows)
            attributions = integrated_gradients(score, rows, own.steps, own.rule, start)
            signed = completeness_gap(score, rows, attributions, start)
            rise = attributions.flatten(1).sum(1) - signed
            return signed.abs() / torch.where(rise == 0, torch.nan, rise.abs())

        with eval_mode(cast(nn.Module, model)):
            return _by_class(gap, images, labels)


@TASK_UTILS.register_module()
class GradCAMExplainer:
    """Grad-CAM of the coarsest features, see ``grad_cam``."""

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the maps (B, 1, H, W) in [0, 1]."""

        def explain(rows: Tensor, label: int) -> Tensor:
            with torch.no_grad():
                feats = [*model.features(rows)]
            maps = grad_cam(lambda f: _known(model.classify([*feats[:-1], f])), feats[-1], label)
            size = rows.shape[-2:]
            large = F.interpolate(maps, tuple(size), mode='bilinear', align_corners=False)
            return large * inside_lungs(rows)

        with eval_mode(cast(nn.Module, model)):
            return _by_class(explain, images, labels)


@TASK_UTILS.register_module()
class DecoderExplainer:
    """The decoder's infection as an explanation of the class: where the network sees disease."""

    def lacks(self, model: ExplainableModel) -> str:
        """Return what a network lacks for the map, see ``Explainer``."""
        return _no_decoder(model)

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the infection probability (B, 1, H, W), the same for every class."""
        with eval_mode(cast(nn.Module, model)), torch.no_grad():
            return _infection(model, images).sigmoid() * inside_lungs(images)


@TASK_UTILS.register_module()
class InfectionSaliencyExplainer:
    """Integrated Gradients of the infection, see ``infection_score``; blank where none is found.

    Args:
        threshold, min_area: As in ``infection_mask``.
        kwargs: Of ``Saliency``.
    """

    def __init__(self, threshold: float = 0.5, min_area: float = 0.0, **kwargs: Any) -> None:
        self.threshold, self.min_area, self.saliency = threshold, min_area, Saliency(**kwargs)

    def lacks(self, model: ExplainableModel) -> str:
        """Return what a network lacks for the map, see ``Explainer``."""
        return _no_decoder(model)

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the maps (B, 1, H, W) in [0, 1], the same for every class."""
        with eval_mode(cast(nn.Module, model)):
            with torch.no_grad():
                prob = _infection(model, images).sigmoid() * inside_lungs(images)
            found = infection_mask(prob, self.threshold, self.min_area)
            score = infection_score(lambda x: _infection(model, x), found)
            return self.saliency.of(score, images)


@TASK_UTILS.register_module()
class BlankExplainer:
    """The same value everywhere: what a map without information scores."""

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return ones (B, 1, H, W), also where a lung is black."""
        return torch.ones_like(images)


@TASK_UTILS.register_module()
class IntensityExplainer:
    """The slice itself: bright is dense, and disease is dense. It needs no network."""

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return the slices (B, 1, H, W) in [0, 1]."""
        return images.detach().clone()


@TASK_UTILS.register_module()
class RandomExplainer:
    """A random value for each pixel.

    Args:
        seed: Of the values; each place in the image has the same in every slice.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return values (B, 1, H, W) in (0, 1) inside the lungs."""
        rng = torch.Generator().manual_seed(self.seed)
        values = torch.rand(images.shape[1:], generator=rng).clamp(min=1e-6).to(images)
        return values * inside_lungs(images)


def _by_class(function: Callable[[Tensor, int], Tensor], images: Tensor, labels: Tensor) -> Tensor:
    """Call a function of slices and one class for each class that occurs."""
    results: Tensor | None = None
    for label in labels.unique().tolist():
        rows = labels == label
        found = function(images[rows], int(label)).detach()
        if results is None:
            results = found.new_zeros(len(images), *found.shape[1:])
        results[rows] = found
    return images[:, :1] if results is None else results


def class_logits(model: ExplainableModel, images: Tensor) -> Tensor:
    """Return the class logits (B, C) of slices (B, 1, H, W).

    Raises:
        ValueError: If the network has no classifier.
    """
    return _known(model.classify(model.features(images)))


def _known(logits: Tensor | None) -> Tensor:
    if logits is None:
        raise ValueError('the network has no cls_head: there is no class to explain')
    return logits


def _infection(model: ExplainableModel, images: Tensor) -> Tensor:
    """Infection logits (B, 1, H, W)."""
    logits = model.segment(model.features(images), images.shape[-2:])
    if logits is None:
        raise ValueError('the network has no decode_head: there is no infection to explain')
    return logits


def _no_decoder(model: ExplainableModel) -> str:
    return 'it has no decode_head' if model.decode_head is None else ''
