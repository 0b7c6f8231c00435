"""Run a model on slices: class probabilities, infection probability and explanation maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..classes import COVID
from ..evaluation.aggregation import aggregate
from ..evaluation.temperature_scaling import apply_temperature
from ..explain import class_activation, infection_mask, infection_score
from ..utils.model import need_finite
from ..utils.timer import StageTimer
from .decisive_slices import decisive_slices
from .model_folder.deployed_model import DeployedModel

MAP_NAMES = ('caam', 'cam', 'saliency')
"""Maps among the attributes of `SlicePredictions` that are always there."""
INFECTION_SALIENCY = 'infection_saliency'
"""The map that is made on request."""


@dataclass(kw_only=True)
class SlicePredictions:
    """Predictions and maps of N slices.

    Attributes:
        scores: (N, C) class probabilities, after temperature scaling.
        raw_scores: (N, C) the same as trained, before it.
        prob: float16 (N, H, W), infection probability in [0, 1]; 0 outside the lungs, if given.
        caam, cam: uint8 (N, H, W), maps of [0, 1] as [0, 255].
        saliency: uint8 (N, H, W), as above, of the class COVID-19; 0 where it was not computed.
        decisive: positions of the slices that weigh most in the decision, see ``decisive_slices``.
        explained: (N,) bool, whether the saliency of a slice was computed.
        threshold: From which probability on a pixel is infected.
        min_area: Share of a slice's pixels below which it is not infected.
        infection_saliency: uint8 (N, H, W), the same of the infection, see ``infection_score``; 0
            where none was found. None if it was not asked for.
    """

    scores: np.ndarray
    raw_scores: np.ndarray
    prob: np.ndarray
    caam: np.ndarray
    cam: np.ndarray
    saliency: np.ndarray
    explained: np.ndarray
    decisive: np.ndarray
    threshold: float = 0.5
    min_area: float = 0.0
    infection_saliency: np.ndarray | None = None

    @property
    def infected(self) -> np.ndarray:
        """The infection, bool (N, H, W)."""
        return infection_mask(self.prob, self.threshold, self.min_area)


class SlicePredictor:
    """Run a model on slices, batch by batch.

    Args:
        model: The model and its settings.
        batch_size: Slices per batch.
        infection_saliency: Explain the infection too, in the slices that get a saliency map.
    """

    def __init__(
        self, model: DeployedModel, batch_size: int = 16, infection_saliency: bool = False
    ) -> None:
        self.model, self.batch_size = model, batch_size
        self.infection_saliency = infection_saliency
        self.class_activation = class_activation(model.model.cls_head, model.activation.fuse)

    def __call__(
        self,
        images: np.ndarray,
        explain: int | None,
        timer: StageTimer | None = None,
        lung: np.ndarray | None = None,
    ) -> SlicePredictions:
        """Predict and explain slices.

        Args:
            images: float32 (N, H, W) in [0, 1], 0 outside the lung if the model wants that.
            explain: Number of slices that get a saliency map: those that weigh most in the
                decision, then those with the largest infection. None: all slices.
            timer: Records the seconds of ``network`` and ``saliency``.
            lung: bool (N, H, W); nothing is predicted outside.

        Raises:
            ValueError: If the network lacks a classification or a decode head, or computes NaN or
                infinity.
        """
        timer = timer or StageTimer()
        batches = [self._forward(batch) for batch in self._batches(images)]
        logits, prob, caam, cam = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        if lung is not None:
            prob *= lung
        raw_scores = _softmax(logits)
        scores = apply_temperature(raw_scores, self.model.temperature)
        infected = infection_mask(prob, self.model.threshold, self.model.min_area)
        count = len(images) if explain is None else explain
        how = self.model.aggregation
        decisive = decisive_slices(raw_scores, int(aggregate(raw_scores, how).argmax()), how)
        order = dict.fromkeys([*decisive, *_by_infection(scores, infected)])
        chosen = np.sort([*order][:count]).astype(int)
        timer.lap('network')
        saliency = np.zeros_like(caam)
        saliency[chosen] = self._saliency(images[chosen])
        of_infection = np.zeros_like(caam) if self.infection_saliency else None
        if of_infection is not None:
            of_infection[chosen] = self._infection_saliency(images[chosen], infected[chosen])
        timer.lap('saliency')
        explained = np.zeros(len(images), bool)
        explained[chosen] = True
        return SlicePredictions(
            scores=scores,
            raw_scores=raw_scores,
            prob=prob,
            caam=caam,
            cam=cam,
            saliency=saliency,
            explained=explained,
            decisive=decisive,
            threshold=self.model.threshold,
            min_area=self.model.min_area,
            infection_saliency=of_infection,
        )

    def _batches(self, images: np.ndarray) -> Iterator[torch.Tensor]:
        device = next(self.model.model.parameters()).device
        for start in range(0, len(images), self.batch_size):
            batch = np.ascontiguousarray(images[start : start + self.batch_size, None])
            yield torch.from_numpy(batch).to(device)

    def _forward(self, batch: torch.Tensor) -> tuple[np.ndarray, ...]:
        """Return logits (B, C), and prob, CAAM and CAM, each (B, H, W), of a batch."""
        network, size = self.model.model, batch.shape[-2:]
        with torch.inference_mode():
            feats = network.features(batch)
            caam, cam = (
                _to_uint8(activation(network.cls_head, feats, batch, COVID))
                for activation in (self.model.activation, self.class_activation)
            )
            logits, mask = network.classify(feats), network.segment(feats, size)
            if logits is None or mask is None:
                raise ValueError('a report needs a model with cls_head and decode_head')
            for output in (logits, mask):
                need_finite(output, [f'{k} of a batch' for k in range(1, len(batch) + 1)])
            prob = mask.sigmoid()[:, 0].half().cpu().numpy()
            return logits.float().cpu().numpy(), prob, caam, cam

    def _saliency(self, images: np.ndarray) -> np.ndarray:
        network = self.model.model
        maps = [
            _to_uint8(
                self.model.saliency(lambda x: network.cls_head(network.features(x)), batch, COVID)
            )
            for batch in self._batches(images)
        ]
        return np.concatenate(maps) if maps else np.zeros(images.shape, np.uint8)

    def _infection_saliency(self, images: np.ndarray, infected: np.ndarray) -> np.ndarray:
        network, found = self.model.model, np.zeros(images.shape, np.uint8)
        some = infected.any((1, 2))

        def segment(x: torch.Tensor) -> torch.Tensor:
            logits = network.segment(network.features(x), x.shape[-2:])
            assert logits is not None  # _forward refuses a network without a decode_head
            return logits

        batches = zip(self._batches(images[some]), self._batches(infected[some]), strict=True)
        maps = [
            _to_uint8(self.model.saliency.of(infection_score(segment, masks), batch))
            for batch, masks in batches
        ]
        if maps:
            found[some] = np.concatenate(maps)
        return found


def shown_maps(predicted: SlicePredictions) -> dict[str, np.ndarray]:
    """Return the maps of slices by name, those on request if they were asked for."""
    stacks = {name: getattr(predicted, name) for name in (*MAP_NAMES, INFECTION_SALIENCY)}
    return {name: stack for name, stack in stacks.items() if stack is not None}


def _to_uint8(maps: torch.Tensor) -> np.ndarray:
    return (maps[:, 0] * 255).round().to(torch.uint8).cpu().numpy()


def _softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).double().softmax(1).numpy()


def _by_infection(scores: np.ndarray, infected: np.ndarray) -> np.ndarray:
    """Return the positions of the slices, the largest predicted infection first.

    Slices of the same infected area are ordered by their COVID-19 probability.
    """
    return np.lexsort((-scores[:, COVID], -infected.mean((1, 2))))
