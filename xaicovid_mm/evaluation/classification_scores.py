"""Scores of the diagnosis, per slice and per patient."""

from collections.abc import Hashable, Sequence

import numpy as np
from sklearn.metrics import confusion_matrix, roc_auc_score

from ..structures import CLASSES


def classification_scores(labels: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score class probabilities.

    Args:
        labels: (N,) true classes.
        probs: (N, C).

    Returns:
        ``accuracy``; ``sensitivity_macro``, ``specificity_macro`` and ``auc_macro``: one class
        against the rest, mean over the classes that occur; ``auc_<class>``. A score that needs a
        class, or a rest, that does not occur is left out.
    """
    labels, probs = np.asarray(labels), np.asarray(probs, float)
    if not len(labels):
        return {}
    classes = range(probs.shape[1])
    matrix = confusion_matrix(labels, probs.argmax(1), labels=classes).astype(float)
    true, right = matrix.sum(1), np.diag(matrix)
    total = matrix.sum()
    present = true > 0
    scores = {
        'accuracy': right.sum() / total,
        'sensitivity_macro': (right[present] / true[present]).mean(),
    }
    tested = present & (true < total)
    if not tested.any():
        return {k: float(v) for k, v in scores.items()}
    rest = total - true
    true_negative = rest - (matrix.sum(0) - right)
    scores['specificity_macro'] = (true_negative[tested] / rest[tested]).mean()
    areas = {k: roc_auc_score(labels == k, probs[:, k]) for k in classes if tested[k]}
    scores['auc_macro'] = np.mean(list(areas.values()))
    scores |= {f'auc_{CLASSES[k]}': area for k, area in areas.items()}
    return {k: float(v) for k, v in scores.items()}


def patient_probs(
    labels: np.ndarray, probs: np.ndarray, patients: Sequence[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (P,) and mean probabilities (P, C) of each patient, in order of first appearance.

    Raises:
        ValueError: If the slices of a patient disagree on the class.
    """
    names = list(dict.fromkeys(patients))
    owner = np.array([names.index(patient) for patient in patients])
    of = []
    for i, name in enumerate(names):
        found = sorted(set(np.asarray(labels)[owner == i].tolist()))
        if len(found) > 1:
            raise ValueError(f'patient {name!r} has the classes {found}: a patient has one class')
        of.append(found[0])
    return np.array(of), np.stack([probs[owner == i].mean(0) for i in range(len(names))])
