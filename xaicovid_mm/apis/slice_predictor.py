"""What a model says of slices, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..classes import COVID
from ..evaluation.temperature_scaling import with_temperature
from ..explain import FusedActivation
from ..utils.timer import StageTimer
from .model_folder.deployed_model import DeployedModel


@dataclass
class SlicePredictions:
    """Answers for N slices.

    Attributes:
        scores: (N, C) class probabilities, with the model's temperature.
        prob: float16 (N, H, W) of infection, in [0, 1].
        caam, cam: uint8 (N, H, W), maps in [0, 255].
        saliency: uint8 (N, H, W); 0 where it was not asked for.
        explained: (N,) bool, which slices have a saliency.
    """

    scores: np.ndarray
    prob: np.ndarray
    caam: np.ndarray
    cam: np.ndarray
    saliency: np.ndarray
    explained: np.ndarray


class SlicePredictor:
    """Run a model over slices, a batch at a time.

    Args:
        served: The model and its settings.
        batch_size: Slices at a time.
    """

    def __init__(self, served: DeployedModel, batch_size: int = 16) -> None:
        self.served, self.batch_size = served, batch_size
        self.class_activation = FusedActivation('cam', served.activation.fuse)

    def __call__(
        self, images: np.ndarray, explain: int | None, clock: StageTimer | None = None
    ) -> SlicePredictions:
        """Predict and explain.

        Args:
            images: float32 (N, H, W) in [0, 1], 0 outside the lung.
            explain: How many slices get a saliency, those with the most COVID-19 and infection
                first; None for all.
            clock: Books the seconds of ``network`` and ``saliency``.
        """
        clock = clock or StageTimer()
        parts = [self._forward(batch) for batch in self._batches(images)]
        logits, prob, caam, cam = (np.concatenate(part) for part in zip(*parts, strict=True))
        scores = with_temperature(_softmax(logits), self.served.temperature)
        chosen = _most_telling(scores, prob, len(images) if explain is None else explain)
        clock.lap('network')
        saliency = np.zeros_like(caam)
        saliency[chosen] = self._saliency(images[chosen])
        clock.lap('saliency')
        explained = np.zeros(len(images), bool)
        explained[chosen] = True
        return SlicePredictions(scores, prob, caam, cam, saliency, explained)

    def _batches(self, images: np.ndarray) -> Iterator[torch.Tensor]:
        device = next(self.served.model.parameters()).device
        for start in range(0, len(images), self.batch_size):
            batch = np.ascontiguousarray(images[start : start + self.batch_size, None])
            yield torch.from_numpy(batch).to(device)

    def _forward(self, batch: torch.Tensor) -> tuple[np.ndarray, ...]:
        model, size = self.served.model, batch.shape[-2:]
        with torch.inference_mode():
            feats = model.features(batch)
            maps = (
                activation(model.cls_head, feats, batch, COVID)
                for activation in (self.served.activation, self.class_activation)
            )
            caam, cam = (_bytes(found) for found in maps)
            logits, mask = model.classify(feats), model.segment(feats, size)
            if logits is None or mask is None:
                raise ValueError('a report needs a model with cls_head and decode_head')
            prob = mask.sigmoid()[:, 0].half().cpu().numpy()
            return logits.float().cpu().numpy(), prob, caam, cam

    def _saliency(self, images: np.ndarray) -> np.ndarray:
        model = self.served.model
        found = [
            _bytes(self.served.saliency(lambda x: model.cls_head(model.features(x)), batch, COVID))
            for batch in self._batches(images)
        ]
        return np.concatenate(found) if found else np.zeros(images.shape, np.uint8)


def _bytes(maps: torch.Tensor) -> np.ndarray:
    return (maps[:, 0] * 255).round().to(torch.uint8).cpu().numpy()


def _softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).double().softmax(1).numpy()


def _most_telling(scores: np.ndarray, prob: np.ndarray, count: int) -> np.ndarray:
    """Positions of the slices with the most COVID-19 by class and by infected area, ascending."""
    area = (prob > 0.5).mean((1, 2))
    order = np.lexsort((-scores[:, COVID], -area))
    return np.sort(order[:count])
