"""Scores of the diagnosis, per slice and per patient."""

from collections.abc import Sequence

import numpy as np

from ..classes import CLASSES
from .aggregation import aggregate


class ClassificationScores:
    """Scores of class probabilities, for any weights of the items.

    Args:
        labels: (N,) true classes.
        probs: (N, C).
    """

    def __init__(self, labels: np.ndarray, probs: np.ndarray) -> None:
        self.labels, probs = np.asarray(labels, int), np.asarray(probs, float)
        self._found = probs.argmax(1)
        self._present = np.bincount(self.labels, minlength=probs.shape[1]) > 0
        # Equal scores share a level, so that ties can count half.
        self._levels = [np.unique(column, return_inverse=True)[1] for column in probs.T]

    def __call__(self, weights: np.ndarray | None = None) -> dict[str, float]:
        """Score the items.

        Args:
            weights: (N,) how often each item counts; default once.

        Returns:
            ``accuracy``; ``sensitivity_macro``, ``specificity_macro`` and ``auc_macro``: one class
            against the rest, mean over the classes that occur among all items; ``auc_<class>``. A
            score that needs a class, or a rest, of weight 0 is left out: a mean over fewer classes
            would be another score.
        """
        weights = np.ones(len(self.labels)) if weights is None else np.asarray(weights, float)
        if not weights.any():
            return {}
        matrix = self._confusion(weights)
        true, right, total = matrix.sum(1), np.diag(matrix), matrix.sum()
        drawn = true > 0
        scores = {'accuracy': right.sum() / total}
        areas = {}
        if drawn.sum() > 1:
            areas = {k: self._area(k, weights) for k in np.flatnonzero(drawn).tolist()}
            scores |= {f'auc_{CLASSES[k]}': area for k, area in areas.items()}
        if np.array_equal(drawn, self._present):
            scores['sensitivity_macro'] = (right[drawn] / true[drawn]).mean()
            if areas:
                specificity = 1 - (matrix.sum(0) - right)[drawn] / (total - true)[drawn]
                scores['specificity_macro'] = specificity.mean()
                scores['auc_macro'] = np.mean(list(areas.values()))
        return {name: float(value) for name, value in scores.items()}

    def _confusion(self, weights: np.ndarray) -> np.ndarray:
        size = len(self._levels)
        cells = np.bincount(self.labels * size + self._found, weights, size * size)
        return cells.reshape(size, size)

    def _area(self, label: int, weights: np.ndarray) -> float:
        """Chance that an item of the class scores higher than one of the rest; ties count half."""
        level, is_class = self._levels[label], self.labels == label
        positive = np.bincount(level, weights * is_class)
        negative = np.bincount(level, weights * ~is_class)
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return float((positive * (below + negative / 2)).sum() / pairs)


def classification_scores(labels: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score class probabilities, every item counting once, see ``ClassificationScores``."""
    return ClassificationScores(labels, probs)()


def patient_probs(
    labels: np.ndarray, probs: np.ndarray, patients: Sequence, how: str = 'mean'
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (P,) and probabilities (P, C) of each patient, in sorted order, see ``aggregate``.

    Raises:
        ValueError: If the slices of a patient disagree on the class.
    """
    labels, probs = np.asarray(labels), np.asarray(probs, float)
    names, first, owner = np.unique(np.asarray(patients), return_index=True, return_inverse=True)
    odd = np.flatnonzero(labels != labels[first][owner])
    if len(odd):
        name = names[owner[odd[0]]]
        found = np.unique(labels[owner == owner[odd[0]]]).tolist()
        raise ValueError(
            f'patient {str(name)!r} has slices of the classes {found}: a patient has one class, '
            'correct the case table'
        )
    by_patient = np.split(probs[np.argsort(owner, kind='stable')], np.cumsum(np.bincount(owner)))
    return labels[first], np.array([aggregate(its, how) for its in by_patient[:-1]])
