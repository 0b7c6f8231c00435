"""When not to believe the model: doubt in a scan, and what referring doubtful scans gains.

Not in the paper.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..classes import CLASSES, COVID, NP
from ..utils.overlap import dice_iou
from .aggregation import aggregate
from .disagreement import Disagreement, scan_disagreement
from .intervals import MIN_PATIENTS, Score, difference_intervals, score_intervals
from .slice_scores import Rows, class_probs

FAILURES = ('wrong_class', 'missed_mask')
"""How a scan can fail, each with a loss and a referral score of its own: see ``scan_doubts``."""
FAILED_DICE = 0.5
"""A mask of a lower Dice has failed."""
MIN_SCANS = 2
"""Failed scans, and scans that are right, without which no threshold is chosen."""


class Doubt(NamedTuple):
    """Doubt in a scan, each part in [0, 1]; 1 is the most.

    Attributes:
        margin: 1 less the gap between the two highest class probabilities.
        mask: 1 less the soft Dice between the infection probability and its own mask; 0 without
            a mask.
        conflict: The probability of NP where infection was found, of COVID-19 where none was.
    """

    margin: float
    mask: float
    conflict: float

    @property
    def wrong_class(self) -> float:
        """The referral score of the class: the largest part."""
        return max(self)

    @property
    def missed_mask(self) -> float:
        """The referral score of the mask: ``mask``. The other parts order masks worse."""
        return self.mask


class Choice(NamedTuple):
    """From which referral score on a scan is referred to a radiologist.

    Attributes:
        threshold: Of the score of one of ``FAILURES``; None if none could be chosen.
        reason: Why there is none; empty if there is one.
        caught: Share of the failed validation scans that it refers, in [0, 1]; NaN if None.
        referred: Share of all validation scans that it refers, in [0, 1]; NaN if None.
    """

    threshold: float | None
    reason: str
    caught: float = float('nan')
    referred: float = float('nan')


def doubt(probs: np.ndarray, *, prob_sum: float, prob_in_mask: float, mask_pixels: float) -> Doubt:
    """Return the doubt in a scan.

    Args:
        probs: (C,) class probabilities of the scan, in the order of ``CLASSES``.
        prob_sum: Sum of the infection probability over all pixels of all slices.
        prob_in_mask: The same inside the predicted mask.
        mask_pixels: Pixels of the predicted mask.

    Raises:
        ValueError: If a number is not finite. A doubt that is no number would refer nobody.
    """
    if not np.isfinite([*probs, prob_sum, prob_in_mask, mask_pixels]).all():
        raise ValueError(
            f'class probabilities {[*map(float, probs)]}, sums of the infection probability '
            f'{prob_sum} and {prob_in_mask} in {mask_pixels} pixels: each must be finite, or '
            'nothing says how sure the network is'
        )
    second, first = np.sort(np.asarray(probs, float))[-2:]
    found = mask_pixels > 0
    soft_dice = 2 * prob_in_mask / (prob_sum + mask_pixels) if found else 1.0
    conflict = probs[NP] if found else probs[COVID]
    return Doubt(float(1 - first + second), float(1 - soft_dice), float(conflict))


def referral(found: Doubt, thresholds: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the fields of a scan for ``prediction.json`` and the pages.

    Args:
        found: The doubt in the scan.
        thresholds: From which score on a scan is referred, by failure; None or absent: not known.

    Returns:
        The parts of the doubt, for each of ``FAILURES`` its ``score``, ``threshold`` and ``refer``
        (None without a threshold), ``because`` (the largest part), and ``refer``: whether any
        failure asks for it, None if no threshold is known.
    """
    parts = found._asdict()
    failures: dict[str, dict[str, Any]] = {}
    for failure in FAILURES:
        score, threshold = getattr(found, failure), thresholds.get(failure)
        refer = None if threshold is None else score >= threshold
        failures[failure] = dict(score=round(score, 4), threshold=threshold, refer=refer)
    asked = [its['refer'] for its in failures.values() if its['refer'] is not None]
    return dict(
        {name: round(value, 4) for name, value in parts.items()},
        **failures,
        because=max(parts, key=lambda name: parts[name]),
        refer=any(asked) if asked else None,
    )


def binary_entropy(prob: np.ndarray) -> np.ndarray:
    """Return the entropy of infection probabilities in bits: 0 where sure, 1 at 0.5. float32."""
    p = np.clip(np.asarray(prob, np.float32), 1e-7, 1 - 1e-7)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def risk_coverage(
    loss: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean loss of the scans that are kept, by the share that is kept.

    Scans of equal score are kept or referred together, as by a threshold.

    Args:
        loss: (N,) in [0, 1].
        scores: (N,) referral scores; the lowest are kept first.
        weights: (N,) how often each counts. Default: once.

    Returns:
        Coverage in (0, 1], ascending, and risk in [0, 1].
    """
    weights = np.ones(len(loss)) if weights is None else weights
    rank = np.unique(scores, return_inverse=True)[1]
    kept, lost = (np.cumsum(np.bincount(rank, w)) for w in (weights, weights * loss))
    shown = kept > 0
    return kept[shown] / kept[-1], lost[shown] / kept[shown]


def aurc(loss: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the area under ``risk_coverage``, in [0, 1]; that of a blind score is the mean loss.

    The risk between two points is that of the higher coverage.
    """
    coverage, risk = risk_coverage(loss, scores, weights)
    return float((np.diff(coverage, prepend=0) * risk).sum())


def scan_doubts(
    infection: Rows, diagnosis: Rows, aggregation: str = 'mean'
) -> list[dict[str, Any]]:
    """Return the scans that have class and mask, with their doubt and losses.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        aggregation: How slices are combined, see ``aggregate``.

    Returns:
        Records of ``case``, ``patient``, ``site``, ``label``, ``doubt``, ``disagreement`` (None if
        each slice was predicted once, see ``scan_disagreement``), ``wrong_class`` (0 or 1) and
        ``missed_mask`` (1 - Dice of the scan; 0 if empty and left empty). No records if the
        rows are of an earlier version, without ``prob_sum``.
    """
    if not infection or 'prob_sum' not in infection[0]:
        return []
    by_case: dict[str, list[dict]] = {}
    for row in infection:
        by_case.setdefault(row['case'], []).append(row)
    of_class: dict[str, list[dict]] = {}
    for row in diagnosis:
        of_class.setdefault(row['case'], []).append(row)
    return [
        _scan(by_case[case], of_class[case], aggregation) for case in by_case if case in of_class
    ]


def referral_report(scans: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the referral scores are worth on scans.

    Args:
        scans: Of ``scan_doubts``.

    Returns:
        For each of ``FAILURES``: ``risk`` (mean loss), ``aurc``, its 95 % interval ``low`` and
        ``high`` over ``patients`` (None under 6), ``excess_aurc`` (over that of the best order),
        ``tied`` (share of the scans whose score another has as well), ``curve`` (coverage, risk)
        and ``parts`` (the ``aurc`` by each part alone), all of the score that the doubt has for
        it. If the scans have a disagreement, the same of it is in
        ``disagreement``, with ``less_doubt``: its ``aurc`` less that of the doubt, ``low``,
        ``high`` and ``p_value``. Empty without scans.
    """
    if not scans:
        return {}
    names, owner = np.unique([scan['patient'] for scan in scans], return_inverse=True)
    number, groups = len(names), {'aurc': np.zeros(len(names), int)}
    kinds = [kind for kind in ('doubt', 'disagreement') if scans[0][kind] is not None]
    report: dict[str, Any] = {}
    for failure in FAILURES:
        loss = np.array([scan[failure] for scan in scans], float)
        scores = [_scores(scans, kind, failure) for kind in kinds]
        areas = [_area(loss, found, owner) for found in scores]
        first, *second = (
            _worth(loss, found, [scan[kind] for scan in scans])
            | score_intervals([area], number, groups)['aurc']._asdict()
            for kind, found, area in zip(kinds, scores, areas, strict=True)
        )
        report[failure] = dict(risk=float(loss.mean()), **first)
        if second:
            gaps = difference_intervals(areas[1:], areas[:1], number, groups)
            gap, interval, p_value = gaps['aurc']
            less = dict(aurc=gap, **interval._asdict(), p_value=p_value)
            report[failure]['disagreement'] = second[0] | dict(less_doubt=less)
    return report


def choose_referral(scans: Sequence[dict[str, Any]]) -> dict[str, Choice]:
    """Choose a threshold for each of ``FAILURES`` on validation scans.

    A scan failed if its class is wrong; if its Dice is below ``FAILED_DICE``. The threshold is the
    score of the largest sum of sensitivity and specificity (Youden) for it, of equals the highest:
    most failures caught for the fewest others.

    Args:
        scans: Of ``scan_doubts``, of validation patients.
    """
    wrong = np.array([scan['wrong_class'] > 0 for scan in scans], bool)
    missed = np.array([1 - scan['missed_mask'] < FAILED_DICE for scan in scans], bool)
    patients = len({scan['patient'] for scan in scans})
    return {
        failure: _choose(_scores(scans, 'doubt', failure), failed, patients)
        for failure, failed in zip(FAILURES, (wrong, missed), strict=True)
    }


def _choose(scores: np.ndarray, failed: np.ndarray, patients: int) -> Choice:
    if patients < MIN_PATIENTS:
        return Choice(None, f'{patients} patients, at least {MIN_PATIENTS} are needed')
    if min(failed.sum(), (~failed).sum()) < MIN_SCANS:
        return Choice(
            None,
            f'{failed.sum()} of {len(failed)} scans failed, {MIN_SCANS} that failed and '
            f'{MIN_SCANS} others are needed',
        )
    found = [
        (float((scores >= s)[failed].mean() - (scores >= s)[~failed].mean()), s) for s in scores
    ]
    gain, threshold = max(found)
    if gain <= 0:
        return Choice(None, 'the score does not tell failed scans from others')
    refer = scores >= threshold
    return Choice(float(threshold), '', float(refer[failed].mean()), float(refer.mean()))


def _scan(infection: Rows, diagnosis: Rows, aggregation: str) -> dict[str, Any]:
    labels, probs = class_probs(diagnosis)
    of_scan = aggregate(probs, aggregation)
    sums = {k: sum(float(row[k]) for row in infection) for k in ('prob_sum', 'prob_in_mask')}
    tp, fp, fn = (sum(int(row[k]) for row in infection) for k in ('tp', 'fp', 'fn'))
    first = infection[0]
    return dict(
        case=first['case'],
        patient=first['patient'],
        site=first['site'],
        label=CLASSES[labels[0]],
        doubt=doubt(of_scan, **sums, mask_pixels=tp + fp),
        disagreement=scan_disagreement(infection, diagnosis),
        wrong_class=int(of_scan.argmax() != labels[0]),
        missed_mask=float(1 - dice_iou(np.array([tp, fp, fn]))[0]),
    )


def _scores(scans: Sequence[dict[str, Any]], kind: str, failure: str) -> np.ndarray:
    """The referral score of a failure by ``kind``, 'doubt' or 'disagreement', for each scan."""
    return np.array([getattr(scan[kind], failure) for scan in scans], float)


def _worth(
    loss: np.ndarray, scores: np.ndarray, found: Sequence[Doubt] | Sequence[Disagreement]
) -> dict[str, Any]:
    area, best = aurc(loss, scores), aurc(loss, np.argsort(np.argsort(loss)))  # ties apart
    curve = np.stack(risk_coverage(loss, scores), axis=1).tolist()
    parts = dict(zip(found[0]._fields, np.array(found).T, strict=True))
    parts = {name: aurc(loss, part) for name, part in parts.items()}
    times = np.unique(scores, return_inverse=True, return_counts=True)
    tied = float((times[2][times[1]] > 1).mean())
    return dict(aurc=area, excess_aurc=area - best, tied=tied, curve=curve, parts=parts)


def _area(loss: np.ndarray, scores: np.ndarray, owner: np.ndarray) -> Score:
    return lambda weights: {'aurc': aurc(loss, scores, weights[owner])}
