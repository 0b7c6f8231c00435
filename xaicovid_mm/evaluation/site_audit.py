"""Test whether site and class can be predicted from the image outside the lungs.

Not in the paper.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..classes import CLASSES
from ..data_prep.store.reader import SliceStore
from ..data_prep.store.records import Case
from ..data_prep.store.schema import ROLES
from .intervals import Interval, score_intervals

SLICES = 8
"""Slices that are read of a case, spread over its height."""
FOLDS = 5
"""Folds of the cross-validation, and fewest patients that a site or class needs to take part."""
SCALES_PX = (0.7, 1.4, 2.8, 5.6)
"""Gaussian blurs (sigma in pixels) between which the texture is measured."""
Progress = Callable[[Sequence[Case]], Iterable[Case]]


@dataclass(frozen=True, kw_only=True)
class AuditScore:
    """How well site or class is predicted by 5-fold cross-validation over patients.

    Attributes:
        what: 'site' or 'class'.
        recalls: Site or class to its recall in [0, 1] and its number of patients.
        score: Balanced accuracy, the mean of the recalls.
        low, high: 95 % interval of the score over patients, see ``score_intervals``; None with
            fewer than 6 patients of a site or class.
    """

    what: str
    recalls: dict[str, tuple[float, int]]
    score: float
    low: float | None
    high: float | None

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / len(self.recalls)


def site_audit(
    store: SliceStore, split: str | None = None, progress: Progress = iter
) -> tuple[Table, list[str]]:
    """Predict site and class of each patient with a small classifier that sees no lung.

    A logistic regression gets five percentiles of the image and the strength of its texture at
    four scales, measured outside the lung mask, where there are no lesions. If it predicts the
    class, then scanner, processing or patients differ between the classes, and a network can use
    that as well.

    Args:
        store: Each patient counts once, by the first case.
        split: Use its training and validation patients only; the test patients are not read.
            Default: all patients.
        progress: Wraps the cases, to show a progress bar.

    Returns:
        Table of both scores, and warnings as sentences.
    """
    cases = _first_cases(store, split)
    features = np.array([_case_features(store, case) for case in progress(cases)])
    classes = ['' if case.label is None else CLASSES[case.label] for case in cases]
    targets = {'site': np.array([case.site for case in cases]), 'class': np.array(classes)}
    scores = [_predict(what, features, target) for what, target in targets.items()]
    scored = [score for score in scores if score]
    without_lung = sum(not case.has_lung for case in cases)
    return _table(scored), _warnings(scored, without_lung, len(cases))


def _first_cases(store: SliceStore, split: str | None) -> list[Case]:
    """Return the first case of each patient that may be read."""
    excluded = () if split is None else (ROLES.index('none'), ROLES.index('test'))
    roles = np.full(len(store), -1) if split is None else store.roles(split)
    first: dict[str, Case] = {}
    for case in store.cases:
        if roles[case.first_row] not in excluded:
            first.setdefault(case.patient, case)
    return list(first.values())


def _case_features(store: SliceStore, case: Case) -> np.ndarray:
    rows = np.linspace(case.first_row, case.first_row + case.rows - 1, min(SLICES, case.rows))
    return np.mean([_slice_features(store, int(row)) for row in rows], axis=0)


def _slice_features(store: SliceStore, row: int) -> np.ndarray:
    """Return 5 percentiles of the pixels outside the lungs and 4 texture strengths, (9,)."""
    image, lung = store.display(row), store.lung(row)
    used = (image > 0) if lung is None else (image > 0) & ~lung  # 0 is padding or air
    if not used.any():
        used = np.ones_like(used)
    image = np.where(used, image, np.median(image[used]))  # else the lung edge counts as texture
    blurred = [image, *(gaussian_filter(image, sigma) for sigma in SCALES_PX)]
    pairs = zip(blurred, blurred[1:], strict=False)
    texture = [np.median(np.abs(fine - coarse)[used]) for fine, coarse in pairs]
    return np.r_[np.percentile(image[used], (5, 25, 50, 75, 95)), np.log(np.add(texture, 1e-4))]


def _predict(what: str, features: np.ndarray, targets: np.ndarray) -> AuditScore | None:
    """Return the score; None if fewer than two sites or classes have enough patients."""
    counts = Counter(target for target in targets.tolist() if target)
    names = sorted(name for name, count in counts.items() if count >= FOLDS)
    if len(names) < 2:
        return None
    used = np.isin(targets, names)
    features, targets = features[used], targets[used]
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight='balanced', max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    predicted = cross_val_predict(model, features, targets, cv=folds)
    recalls = recall_score(targets, predicted, labels=names, average=None)
    interval = _interval(predicted == targets, np.searchsorted(names, targets))
    return AuditScore(
        what=what,
        recalls={name: (float(r), counts[name]) for name, r in zip(names, recalls, strict=True)},
        score=float(recalls.mean()),
        low=interval.low,
        high=interval.high,
    )


def _interval(hits: np.ndarray, group: np.ndarray) -> Interval:
    """Return the 95 % interval of the mean recall of patients (P,) in groups, int (P,)."""

    def score(weights: np.ndarray) -> dict[str, float]:
        all_of, right = (np.bincount(group, w) for w in (weights, weights * hits))
        return {'recall': float((right / all_of).mean())} if all_of.all() else {}

    return score_intervals([score], len(hits), {'recall': group})['recall']


def _table(scores: Sequence[AuditScore]) -> Table:
    columns = ('predicted', 'balanced accuracy', '95 % interval', 'chance', 'recall (patients)')
    table = Table(*columns, title='from the look outside the lungs')
    for score in scores:
        recalls = ', '.join(f'{name} {r:.2f} ({n})' for name, (r, n) in score.recalls.items())
        cells = (f'{score.score:.2f}', _ends(score) or 'n/a', f'{score.chance:.2f}', recalls)
        table.add_row(score.what, *cells)
    return table


def _ends(score: AuditScore) -> str:
    if score.low is None or score.high is None:
        return ''
    return f'{score.low:.2f} to {score.high:.2f}'


def _warnings(scores: Sequence[AuditScore], without_lung: int, cases: int) -> list[str]:
    texts = [
        'the class can be told without looking at the lungs (balanced accuracy '
        f'{score.score:.2f}, {_ends(score)}; a guess has '
        f'{score.chance:.2f}): a class score here measures the source of a scan as well as the '
        'disease'
        for score in scores
        if score.what == 'class' and score.low is not None and score.low > score.chance
    ]
    texts += [
        f'fewer than two {"sites" if what == "site" else "classes"} have {FOLDS} patients, so '
        f'{what} was not audited'
        for what in ('site', 'class')
        if what not in {score.what for score in scores}
    ]
    if without_lung:
        texts.append(
            f'{without_lung} of {cases} patients have no lung mask: their whole slices were read, '
            'lesions too'
        )
    return texts
