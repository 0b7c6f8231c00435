"""Accuracy, sensitivity, specificity and AUC of class probabilities."""

from collections.abc import Sequence

import numpy as np

from ..classes import CLASSES
from .aggregation import aggregate


class ClassificationScores:
    """Scores of class probabilities for given weights of the items (slices or patients).

    Args:
        labels: (N,) true classes.
        probs: (N, C) class probabilities.
    """

    def __init__(self, labels: np.ndarray, probs: np.ndarray) -> None:
        self.labels, probs = np.asarray(labels, int), np.asarray(probs, float)
        self._predicted = probs.argmax(1)
        self._present = np.bincount(self.labels, minlength=probs.shape[1]) > 0
        # Equal probabilities share a rank, so that ties can count half.
        self._ranks = [np.unique(column, return_inverse=True)[1] for column in probs.T]

    def __call__(self, weights: np.ndarray | None = None) -> dict[str, float]:
        """Score the items.

        Args:
            weights: (N,) how often each item counts. Default: once each.

        Returns:
            Scores in [0, 1]: ``accuracy``; ``auc_<class>``; ``sensitivity_macro``,
            ``specificity_macro`` and ``auc_macro``, each computed for one class against the rest
            and averaged over the classes that occur in ``labels``. A score is left out if a class
            or rest it needs has weight 0, because a mean over fewer classes is another score.
        """
        weights = np.ones(len(self.labels)) if weights is None else np.asarray(weights, float)
        if not weights.any():
            return {}
        matrix = self._confusion(weights)
        true, correct, total = matrix.sum(1), np.diag(matrix), matrix.sum()
        has_weight = true > 0
        scores = {'accuracy': correct.sum() / total}
        areas = {}
        if has_weight.sum() > 1:
            areas = {k: self._area(k, weights) for k in np.flatnonzero(has_weight).tolist()}
            scores |= {f'auc_{CLASSES[k]}': area for k, area in areas.items()}
        if np.array_equal(has_weight, self._present):
            scores['sensitivity_macro'] = (correct[has_weight] / true[has_weight]).mean()
            if areas:
                specificity = 1 - (matrix.sum(0) - correct)[has_weight] / (total - true)[has_weight]
                scores['specificity_macro'] = specificity.mean()
                scores['auc_macro'] = np.mean(list(areas.values()))
        return {name: float(value) for name, value in scores.items()}

    def _confusion(self, weights: np.ndarray) -> np.ndarray:
        size = len(self._ranks)
        cells = np.bincount(self.labels * size + self._predicted, weights, size * size)
        return cells.reshape(size, size)

    def _area(self, label: int, weights: np.ndarray) -> float:
        rank, is_class = self._ranks[label], self.labels == label
        return roc_auc(
            np.bincount(rank, weights * is_class), np.bincount(rank, weights * ~is_class)
        )


def roc_auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """AUC: the chance that a positive item scores higher than a negative one; ties half.

    Args:
        positive: (L,) weight of the positive items at each level of the score, the lowest first.
        negative: (L,) likewise.

    Returns:
        In [0, 1]; NaN if all items are of one kind.
    """
    below = np.cumsum(negative) - negative
    pairs = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / pairs)


def classification_scores(labels: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score class probabilities with every item counting once.

    Takes ``labels`` (N,) and ``probs`` (N, C); returns the scores of ``ClassificationScores``.
    """
    return ClassificationScores(labels, probs)()


def patient_probs(
    labels: np.ndarray, probs: np.ndarray, patients: Sequence, how: str = 'mean'
) -> tuple[np.ndarray, np.ndarray]:
    """Return the class and the class probabilities of each patient.

    Args:
        labels: (N,) true classes of the slices.
        probs: (N, C) class probabilities of the slices.
        patients: (N,) patient of each slice.
        how: Aggregation from slices to a patient, see ``aggregate``.

    Returns:
        Labels (P,) and probabilities (P, C) in the sorted order of the patients.

    Raises:
        ValueError: If a patient has slices of two classes.
    """
    labels, probs = np.asarray(labels), np.asarray(probs, float)
    names, first, owner = np.unique(np.asarray(patients), return_index=True, return_inverse=True)
    mismatched = np.flatnonzero(labels != labels[first][owner])
    if len(mismatched):
        patient = owner[mismatched[0]]
        classes = np.unique(labels[owner == patient]).tolist()
        raise ValueError(
            f'patient {str(names[patient])!r} has slices of the classes {classes}: a patient has '
            'one class, correct the case table'
        )
    by_patient = np.split(probs[np.argsort(owner, kind='stable')], np.cumsum(np.bincount(owner)))
    return labels[first], np.array([aggregate(group, how) for group in by_patient[:-1]])
