"""The maps of some slices, and what each part of the scores makes of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...explain.activation_maps import inside_lungs
from ...explain.captum_attribution import captum_module
from ...explain.explainers import Explainer, SaliencyExplainer, class_logits
from ...explain.protocols import ExplainableModel
from .agreement import rank_correlation
from .faithfulness import faithfulness_scores
from .localisation import localisation_scores
from .map_status import FLAT, NO_LUNG, NOT_FINITE, map_status
from .randomisation import randomised_networks

NOISE = 0.02
"""Standard deviation of the noise of ``stability``, in the units of the slice."""
BLACK = 1e-3
"""Least value of a noisy pixel inside the lungs; 0 would put it outside."""

Row = dict[str, Any]
Targets = Mapping[str, Sequence[np.ndarray | None]]
"""By name the mask of each slice, bool (H, W); None where it is unknown."""


@dataclass
class ScoredBatch:
    """The maps of B slices. A score that is undefined for a slice is not added to its row.

    Attributes:
        model: The network, in eval mode.
        explainers: By the name of the map.
        own: Names of the maps that depend on the network.
        images: (B, 1, H, W) in [0, 1], 0 outside the lungs.
        lung: bool (B, 1, H, W), the pixels that maps are scored on.
        labels: (B,), the class that is explained.
        targets: Masks that maps may lie on.
        seed: Of all that is drawn.
    """

    model: ExplainableModel
    explainers: Mapping[str, Explainer]
    own: Sequence[str]
    images: Tensor
    lung: Tensor
    labels: Tensor
    targets: Targets
    seed: int

    def __post_init__(self) -> None:
        self.maps = {
            name: self._levelled(self._explain(name, self.images)) for name in self.explainers
        }
        self.values = {name: self._inside(found) for name, found in self.maps.items()}
        self.rows: dict[str, list[Row]] = {
            name: [dict(map=name, status=map_status(v)) for v in found]
            for name, found in self.values.items()
        }

    def localisation(self) -> None:
        """Add ``<target>_<score>``, see ``localisation_scores``."""
        lungs = self.lung[:, 0].cpu().numpy()
        for target, masks in self.targets.items():
            for name, found in self.values.items():
                for row, value, inside, mask in zip(
                    self.rows[name], found, lungs, masks, strict=True
                ):
                    if mask is not None and row['status'] not in (NOT_FINITE, NO_LUNG):
                        scores = localisation_scores(value, mask[inside])
                        row.update({f'{target}_{key}': score for key, score in scores.items()})

    def agreement(self) -> None:
        """Add ``rank_correlation_<other>``: Spearman's, in [-1, 1], with each other map."""
        names = [name for name in self.rows if name not in ('blank', 'random')]
        for a, name in enumerate(names):
            for other in names[a + 1 :]:
                pairs = zip(self.values[name], self.values[other], strict=True)
                found = [rank_correlation(*pair) for pair in pairs]
                self._add(name, f'rank_correlation_{other}', found)
                self._add(other, f'rank_correlation_{name}', found)

    def faithfulness(self) -> None:
        """Add ``faithfulness_scores``."""
        for name, found in self.maps.items():
            rows = self.rows[name]
            sound = [i for i, row in enumerate(rows) if row['status'] != NOT_FINITE]
            if sound:
                images, lung, labels, maps = (
                    x[sound] for x in (self.images, self.lung, self.labels, found)
                )
                scores = faithfulness_scores(
                    self._logits, images, lung, labels, maps, seed=self.seed
                )
                for i, score in zip(sound, scores, strict=True):
                    rows[i].update(score)

    def sanity(self) -> None:
        """Add how alike a map is, by rank correlation in [-1, 1], when weights are made random.

        ``randomised_rank_correlation`` when all are, ``cascade_rank_correlation`` on average over
        the steps of ``randomised_networks``: both have to be low. ``completeness_gap`` of
        Integrated Gradients, see ``SaliencyExplainer``.
        """
        steps: dict[str, list[list[float | None]]] = {name: [] for name in self.own}
        for network in randomised_networks(cast(nn.Module, self.model), self.seed):
            for name in self.own:
                found = self._explain(name, self.images, cast(ExplainableModel, network))
                steps[name].append(self._alike(name, found))
        for name, explain in ((name, self.explainers[name]) for name in self.own):
            self._add(name, 'randomised_rank_correlation', steps[name][-1])
            self._add(name, 'cascade_rank_correlation', map(_mean, zip(*steps[name], strict=True)))
            if isinstance(explain, SaliencyExplainer):
                gaps = explain.completeness_gap(self.model, self.images, self.labels).tolist()
                self._add(name, 'completeness_gap', gaps)

    def stability(self) -> None:
        """Add how little a map depends on what should not matter.

        ``flip_rank_correlation`` with the map of the mirrored slice, mirrored back;
        ``noise_rank_correlation`` with that of a slice with noise of ``NOISE`` inside the lungs;
        both in [-1, 1], high is good. ``sensitivity_max``, captum's, the change of the map under
        noise of at most ``NOISE`` over its norm, low is good.
        """
        sensitivity_max = captum_module('metrics', 'sensitivity').sensitivity_max
        rng = torch.Generator().manual_seed(self.seed)

        def noisy(inputs: Tensor, radius: float) -> Tensor:
            noise = torch.rand(inputs.shape, generator=rng).to(inputs) * 2 * radius - radius
            return _disturbed(inputs, noise)

        noise = torch.randn(self.images.shape, generator=rng).to(self.images) * NOISE
        disturbed = _disturbed(self.images, noise)
        for name in self.own:
            mirrored = self._explain(name, self.images.flip(-1)).flip(-1)
            self._add(name, 'flip_rank_correlation', self._alike(name, mirrored))
            found = self._alike(name, self._explain(name, disturbed))
            self._add(name, 'noise_rank_correlation', found)
            rng.manual_seed(self.seed)  # every map under the same noise
            largest = sensitivity_max(
                self._for_captum(name), self.images, noisy, NOISE, n_perturb_samples=2
            ).tolist()
            mute = (row['status'] in (FLAT, NOT_FINITE, NO_LUNG) for row in self.rows[name])
            known = (None if m else v for m, v in zip(mute, largest, strict=True))
            self._add(name, 'sensitivity_max', known)

    def _explain(self, name: str, images: Tensor, model: ExplainableModel | None = None) -> Tensor:
        """Explain the slices, or k variants of each, of another network or this one."""
        labels = self.labels.repeat_interleave(len(images) // max(len(self.labels), 1))
        return self.explainers[name](model or self.model, images, labels).detach().float()

    def _levelled(self, maps: Tensor) -> Tensor:
        """The maps, flat ones without the rounding that is all they hold."""
        maps = maps.clone()
        for i, values in enumerate(self._inside(maps)):
            if map_status(values) == FLAT:
                maps[i] = float(values.mean())
        return maps

    def _for_captum(self, name: str) -> Callable:
        """The explainer, which gets a tuple from captum at first and a tensor later."""

        def explain(inputs: Tensor | tuple[Tensor]) -> Tensor | tuple[Tensor]:
            if isinstance(inputs, tuple):
                return (self._explain(name, inputs[0]),)
            return self._explain(name, inputs)

        return explain

    def _inside(self, maps: Tensor) -> list[np.ndarray]:
        """The values (N,) of each map inside the lungs."""
        return [m[inside].cpu().numpy() for m, inside in zip(maps, self.lung, strict=True)]

    def _alike(self, name: str, maps: Tensor) -> list[float | None]:
        pairs = zip(self.values[name], self._inside(maps), strict=True)
        return [rank_correlation(*pair) for pair in pairs]

    def _add(self, name: str, score: str, values: Iterable[float | None]) -> None:
        """Add a score to the rows of a map, where it is a number."""
        for row, value in zip(self.rows[name], values, strict=True):
            if value is not None and np.isfinite(value):
                row[score] = float(value)

    def _logits(self, images: Tensor) -> Tensor:
        return class_logits(self.model, images)


def _disturbed(images: Tensor, noise: Tensor) -> Tensor:
    """Slices (B, 1, H, W) with noise inside the lungs, where no pixel becomes black."""
    return torch.where(inside_lungs(images), (images + noise).clamp(BLACK, 1), 0.0)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
