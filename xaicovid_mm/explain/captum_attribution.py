"""Any attribution of captum as a map, by config."""

import importlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..registry import TASK_UTILS
from ..utils.extras import need_extra
from ..utils.model import eval_mode
from .activation_maps import inside_lungs
from .explainers import class_logits
from .protocols import ExplainableModel
from .saliency import BASELINES

OWN_ARGUMENTS = {'inputs', 'target', 'baselines'}
NETWORK = ('forward_func', 'model')
"""What captum calls the network."""
SHOWN = 300
"""Characters of captum's errors, which can hold whole images."""
RELU_ONLY = ('GuidedBackprop', 'Deconvolution')
"""Methods that differ from the plain gradient only where a network has ``nn.ReLU``."""


@TASK_UTILS.register_module()
class CaptumAttribution:
    """An attribution of captum to the pixels, as a map.

    Args:
        method: Name of a class of ``captum.attr`` that attributes to inputs, such as 'Saliency',
            'InputXGradient', 'GradientShap', 'Occlusion' or 'GuidedBackprop'.
        baseline: As in ``Saliency``, for the methods that have one. Several of them are the
            distribution of ``GradientShap``, which is Expected Gradients over them (Erion et al.,
            2021), and of ``DeepLiftShap``.
        sign: 'abs' or 'positive', as in ``Saliency``.
        seed: Of the methods that draw; torch's and numpy's generators are left as they were.
        kwargs: Of the method's ``attribute``, such as ``n_samples`` or
            ``sliding_window_shapes=(1, 8, 8)``.

    Raises:
        ValueError: For an unknown method or argument, another ``baseline`` or ``sign``.
        MissingExtraError: If captum is not installed.
    """

    def __init__(
        self,
        method: str,
        baseline: str | Sequence[str] = 'black',
        sign: str = 'abs',
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.attribution = _method(method)
        known = inspect.signature(self.attribution.attribute).parameters
        if unknown := sorted(kwargs.keys() - (known.keys() - OWN_ARGUMENTS)):
            choice = sorted(known.keys() - OWN_ARGUMENTS - {'self'})
            raise ValueError(f'{method} does not take {unknown}: choose of {choice}')
        names = [baseline] if isinstance(baseline, str) else [*baseline]
        if not names or not BASELINES.keys() >= {*names}:
            raise ValueError(f'baseline={baseline!r}: choose of {sorted(BASELINES)}')
        if sign not in ('abs', 'positive'):
            raise ValueError(f"sign={sign!r}: choose 'abs' or 'positive'")
        self.method, self.has_baseline = method, 'baselines' in known
        self.baselines, self.sign, self.seed = names, sign, seed
        self.kwargs = {name: _tuples(value) for name, value in kwargs.items()}

    def lacks(self, model: ExplainableModel) -> str:
        """Return what a network lacks for the map, see ``Explainer``."""
        network = cast(nn.Module, model)
        if self.method not in RELU_ONLY or any(isinstance(m, nn.ReLU) for m in network.modules()):
            return ''
        return (
            f'{self.method} changes the gradient of nn.ReLU, and the network has none: the '
            "map would be the plain gradient. Choose 'Saliency' or 'InputXGradient'"
        )

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor) -> Tensor:
        """Return maps (B, 1, H, W) of at least 0, in logits per pixel, see ``Explainer``.

        Raises:
            ValueError: For a method that needs ``nn.ReLU``, of a network without, and if captum
                refuses the network or an argument.
        """
        if lacking := self.lacks(model):
            raise ValueError(lacking)
        signed = []
        with eval_mode(cast(nn.Module, model)), torch.enable_grad():
            attribution = self.attribution(_Classifier(model))
            for i, label in enumerate(labels.tolist()):
                image = images[i : i + 1].detach().clone()
                arguments = self._arguments(image)
                with _own_random_numbers(self.seed), self._named_errors():
                    found = attribution.attribute(image.requires_grad_(), target=label, **arguments)
                signed.append(found.detach())
        maps = torch.cat(signed) if signed else images.detach()
        size = maps.abs() if self.sign == 'abs' else maps.clamp(min=0)
        return size * inside_lungs(images)

    def _arguments(self, image: Tensor) -> dict[str, Any]:
        starts = [BASELINES[name](image) for name in self.baselines]
        return (dict(baselines=torch.cat(starts)) if self.has_baseline else {}) | self.kwargs

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
            reason = ' '.join(str(error).split())[:SHOWN]
            raise ValueError(f"captum's {self.method} cannot make this map: {reason}") from error


def captum_module(name: str, purpose: str) -> Any:
    """Import a module of captum, which is an extra.

    Args:
        name: Below ``captum``.
        purpose: What needs it, for the message.

    Raises:
        MissingExtraError: Saying how to install it.
    """
    need_extra('captum', 'explain', purpose)
    return importlib.import_module(f'captum.{name}')


class _Classifier(nn.Module):
    """Slices to class logits, as captum wants it."""

    def __init__(self, model: ExplainableModel) -> None:
        super().__init__()
        self.model = cast(nn.Module, model)

    def forward(self, images: Tensor) -> Tensor:
        return class_logits(cast(ExplainableModel, self.model), images.clone())


def _method(name: str) -> Any:
    attr = captum_module('attr', f'the map {name}')
    others = attr.LayerAttribution, attr.NeuronAttribution
    classes = {
        key: value
        for key, value in vars(attr).items()
        if inspect.isclass(value)
        and issubclass(value, attr.Attribution)
        and not issubclass(value, others)
        and hasattr(value, 'attribute')
        and _needs_the_network_alone(value)
    }
    if name not in classes:
        raise ValueError(f'captum has no attribution {name!r} to inputs: choose of {[*classes]}')
    return classes[name]


def _needs_the_network_alone(kind: type) -> bool:
    first, *more = inspect.signature(kind).parameters.values()
    return first.name in NETWORK and all(p.default is not inspect.Parameter.empty for p in more)


@contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seed torch's and numpy's global generators, which captum draws from, and put them back."""
    state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)


def _tuples(value: Any) -> Any:
    """Lists, which configs are made of, as tuples, which captum wants."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(_tuples(item) for item in value) if is_list else value
