"""Score the maps of a trained network on a phantom whose evidence is known."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaicovid_mm.classes import COVID
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.evaluation.explanation.agreement import rank_correlation
from xaicovid_mm.evaluation.explanation.map_status import OK
from xaicovid_mm.evaluation.explanation.scorer import PARTS, ExplanationScorer
from xaicovid_mm.evaluation.explanation.summary import explanation_table
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.registry import TASK_UTILS

MAPS: dict[str, dict[str, Any]] = dict(
    caam=dict(type='ActivationExplainer', source='caam'),
    cam=dict(type='ActivationExplainer', source='cam'),
    class_map=dict(type='ActivationExplainer', source='class'),
    saliency=dict(type='SaliencyExplainer', steps=8),
    grad_cam=dict(type='GradCAMExplainer'),
    input_x_gradient=dict(type='CaptumAttribution', method='InputXGradient'),
    occlusion=dict(
        type='CaptumAttribution',
        method='Occlusion',
        baseline='blur',
        sliding_window_shapes=(1, 16, 16),
        strides=(1, 8, 8),
        perturbations_per_eval=16,
    ),
    decoder=dict(type='DecoderExplainer'),
)
ORACLES = ('the_cause', 'the_shortcut')
"""Maps that are the planted evidence itself: what a faithfulness score makes of each."""


class _Given:
    """A map that is given for the slices at hand."""

    def __init__(self, maps: Tensor) -> None:
        self.maps = maps

    def __call__(self, model: Any, images: Tensor, labels: Tensor) -> Tensor:
        return self.maps


class Bench:
    """The test slices of a phantom, and a network that was trained on its training slices.

    Args:
        model: The network.
        folder: Folder of ``make_phantom``.
        clean: The same for the phantom without shortcut, made with the same seed.
        lung_fill: Whether the outside of the lungs is set to 0.
    """

    def __init__(self, model: MultiTaskModel, folder: Path, clean: Path, lung_fill: bool) -> None:
        """See the class."""
        self.model, self.store = model, SliceStore(folder / 'store')
        planted = folder / 'store_shortcut'
        self.planted = SliceStore(planted) if planted.is_dir() else None
        pack = [dict(type='PackCTInputs')]
        self.data, self.clean = (
            SliceDataset(root / 'store', 'default', ['test'], pack, lung_fill=lung_fill)
            for root in (folder, clean)
        )

    def slices(self, count: int) -> np.ndarray:
        """Positions of at most ``count`` COVID-19 slices with cause and shortcut, evenly spaced."""
        index = self.store.index[self.data.rows]
        known = [
            i
            for i in np.flatnonzero((index['label'] == COVID) & (index['infection_px'] > 0))
            if self.planted is None or _any(self.planted.cause(self.data.rows[i]))
        ]
        if not known:
            raise ValueError(
                f'{self.store.root}: no test slice of COVID-19 shows both infection and shortcut: '
                'make larger slices with --size, or more patients'
            )
        chosen = np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int)
        return np.array(known)[chosen]

    def images(self, positions: np.ndarray, data: SliceDataset | None = None) -> Tensor:
        """Slices (B, 1, H, W) in [0, 1] as the network gets them."""
        inputs = [(data or self.data)[int(i)]['inputs'] for i in positions]
        return self.model.data_preprocessor({'inputs': inputs})['inputs']

    def targets(self, positions: np.ndarray) -> dict[str, list[np.ndarray | None]]:
        """The masks (H, W) of the cause and of the shortcut of each slice."""
        stores = dict(cause=self.store, shortcut=self.planted)
        rows = self.data.rows[positions]
        return {k: [s.cause(r) if s else None for r in rows] for k, s in stores.items()}

    def scores(self, count: int, batch_size: int = 6) -> dict[str, Any]:
        """Score all maps on the slices, see ``ExplanationScorer``; COVID-19 is explained.

        Returns:
            ``table``, see ``explanation_table``; ``covid_probability``, the mean softmax
            probability of COVID-19 over its test slices ``with_shortcut`` and ``without`` it;
            ``accuracy_slice``, the share of all test slices whose class is right; ``slices`` and
            ``patients``, how many were explained.
        """
        positions = self.slices(count)
        rows = []
        for start in range(0, len(positions), batch_size):
            rows += self._rows(positions[start : start + batch_size])
        index = self.store.index[self.data.rows]
        covid = np.flatnonzero(index['label'] == COVID)
        with_shortcut, without = (self._probs(covid, d)[:, COVID] for d in (self.data, self.clean))
        right = self._probs(np.arange(len(index)), self.data).argmax(1) == index['label']
        return dict(
            table=explanation_table(rows),
            covid_probability=dict(
                with_shortcut=float(with_shortcut.mean()), without=float(without.mean())
            ),
            accuracy_slice=float(right.mean()),
            slices=len(positions),
            patients=len({row['patient'] for row in rows}),
        )

    def agreement(self, other: MultiTaskModel, count: int, score: str) -> dict[str, dict]:
        """Compare the maps with those of another network on the same slices.

        Args:
            other: The other network.
            count: As in ``scores``.
            score: Name of the score in the table.

        Returns:
            Mean over patients of the mean rank correlation in [-1, 1], as ``explanation_table``.
        """
        positions = self.slices(count)
        seen = (self.images(positions) != 0)[:, 0].numpy()
        maps = [self.maps(positions, model) for model in (self.model, other)]
        rows = []
        for i, position in enumerate(positions):
            patient = self.store.case_of(self.data.rows[position]).patient
            for name in MAPS:
                value = rank_correlation(*(m[name][i][seen[i]] for m in maps))
                known = {} if value is None else {score: value}
                rows.append(dict(patient=patient, map=name, status=OK) | known)
        table = explanation_table(rows)
        return {key: entry for key, entry in table.items() if f'/{score}_' in key}

    def maps(
        self, positions: np.ndarray, model: MultiTaskModel | None = None
    ) -> dict[str, np.ndarray]:
        """The maps (B, H, W) of slices; by the network of the bench unless another is given."""
        images, labels = self.images(positions), torch.full((len(positions),), COVID)
        built = {name: TASK_UTILS.build(dict(cfg)) for name, cfg in MAPS.items()}
        return {k: f(model or self.model, images, labels)[:, 0].numpy() for k, f in built.items()}

    def _rows(self, positions: np.ndarray) -> list[dict[str, Any]]:
        images, targets = self.images(positions), self.targets(positions)
        labels, seen = torch.full((len(positions),), COVID), images != 0
        built = {name: TASK_UTILS.build(dict(cfg)) for name, cfg in MAPS.items()}
        batch = self.model, images, seen, labels, targets
        found = ExplanationScorer(built, PARTS)(*batch)
        oracles = {
            name: _Given(torch.from_numpy(np.stack(masks)[:, None]).to(images) * seen)
            for name, masks in zip(ORACLES, targets.values(), strict=True)
            if masks[0] is not None
        }
        exact = ExplanationScorer(oracles, ('localisation', 'faithfulness'))(*batch)
        patients = [self.store.case_of(self.data.rows[i]).patient for i in positions]
        return [
            dict(patient=patient) | row
            for patient, ours, theirs in zip(patients, found, exact, strict=True)
            for row in [*ours, *(row for row in theirs if row['map'] in ORACLES)]
        ]

    def _probs(self, positions: np.ndarray, data: SliceDataset) -> np.ndarray:
        parts = np.array_split(positions, max(len(positions) // 16, 1))
        with torch.no_grad():
            logits = [
                self.model.classify(self.model.features(self.images(part, data))) for part in parts
            ]
        return torch.cat(logits).softmax(1).numpy()  # type: ignore[arg-type]


def _any(mask: np.ndarray | None) -> bool:
    return mask is not None and bool(mask.any())
