"""Whether a map lies on what it should: the cause of the class, or the infection."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

LOCALISATION = (
    'auc',
    'average_precision',
    'pointing_game',
    'relevance_mass_accuracy',
    'relevance_rank_accuracy',
)


def localisation_scores(values: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Score the map of one slice against a mask. Not in the paper.

    Pixels of equal value count as if drawn in random order, in the average precision as one step
    of the threshold. So a blank map scores what chance gives: 0.5 in ``auc``, and the target's
    share of the pixels in the others.

    Args:
        values: (N,) of the pixels inside the lungs, finite and at least 0, in any unit.
        target: bool (N,).

    Returns:
        Each in [0, 1]: ``auc``, the area under the ROC curve; ``average_precision``;
        ``pointing_game``, whether the largest value lies in the target (Zhang et al., 2018);
        ``relevance_mass_accuracy``, the target's share of the sum, left out if that is 0, and
        ``relevance_rank_accuracy``, its share of as many largest pixels as it has (Arras et al.,
        2022). Empty if the target is empty or everything.

    Raises:
        ValueError: If a value is not finite or negative.
    """
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError('a map holds values that are not finite or negative: see map_status')
    if not target.any() or target.all():
        return {}
    values = values.astype(np.float64)
    scores = dict(
        auc=float(roc_auc_score(target, values)),
        average_precision=float(average_precision_score(target, values)),
        pointing_game=float(target[values == values.max()].mean()),
        relevance_rank_accuracy=_share_of_largest(values, target, int(target.sum())),
    )
    if total := values.sum():
        scores['relevance_mass_accuracy'] = float(values[target].sum() / total)
    return scores


def _share_of_largest(values: np.ndarray, target: np.ndarray, count: int) -> float:
    """Share of the ``count`` largest values that lie in the target; ties count by their share."""
    limit = np.partition(values, -count)[-count]
    above, at = values > limit, values == limit
    hits = target[above].sum() + (count - above.sum()) * target[at].mean()
    return float(hits / count)
