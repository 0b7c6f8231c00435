"""Can site, and class, be told from the look of a scan without its lungs."""

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
from ..data_prep.store.reader import Case, SliceStore
from ..data_prep.store.schema import ROLES

SLICES = 8  # read of a case
FOLDS = 5  # and fewest patients of a site or class that takes part
DRAWS = 1000
SCALES_PX = (0.7, 1.4, 2.8, 5.6)
Progress = Callable[[Sequence[Case]], Iterable[Case]]


@dataclass(frozen=True)
class AuditScore:
    """How well a thing is told from the look, each patient by a model that never saw it.

    Attributes:
        what: 'site' or 'class'.
        recalls: Of each site or class, with its patients.
        score: Balanced accuracy, the mean of the recalls.
        low, high: 95 % interval over patients.
    """

    what: str
    recalls: dict[str, tuple[float, int]]
    score: float
    low: float
    high: float

    @property
    def chance(self) -> float:
        """Balanced accuracy of a guess."""
        return 1 / len(self.recalls)


def site_audit(
    store: SliceStore, split: str | None = None, progress: Progress = iter
) -> tuple[Table, list[str]]:
    """Tell site and class by a small classifier that sees no lung. Not in the paper.

    A logistic regression reads five percentiles and the strength of four scales of texture
    outside the lung mask, where no lesion is: what tells the class there is the scanner, the
    processing or the patients' bodies, and a network can use it as well.

    Args:
        store: Each patient counts once, by the first scan.
        split: Take its training and validation patients; the test set is left alone.
        progress: Wraps the cases, to show a bar.

    Returns:
        Table of both; warnings in plain words.
    """
    cases = _one_a_patient(store, split)
    looks = np.array([_look(store, case) for case in progress(cases)])
    names = ['' if case.label is None else CLASSES[case.label] for case in cases]
    told = [
        result
        for what, values in (('site', [case.site for case in cases]), ('class', names))
        if (result := _tell(what, looks, np.array(values)))
    ]
    return _table(told), _warnings(told, sum(not case.has_lung for case in cases), len(cases))


def _one_a_patient(store: SliceStore, split: str | None) -> list[Case]:
    unseen = () if split is None else (ROLES.index('none'), ROLES.index('test'))
    roles = np.full(len(store), -1) if split is None else store.roles(split)
    first: dict[str, Case] = {}
    for case in store.cases:
        if roles[case.first_row] not in unseen:
            first.setdefault(case.patient, case)
    return list(first.values())


def _look(store: SliceStore, case: Case) -> np.ndarray:
    rows = np.linspace(case.first_row, case.first_row + case.rows - 1, min(SLICES, case.rows))
    return np.mean([_slice_look(store, int(row)) for row in rows], axis=0)


def _slice_look(store: SliceStore, row: int) -> np.ndarray:
    image, lung = store.display(row), store.lung(row)
    seen = (image > 0) if lung is None else (image > 0) & ~lung  # 0 is padding or air
    if not seen.any():
        seen = np.ones_like(seen)
    image = np.where(seen, image, np.median(image[seen]))  # else the lungs' edge counts as texture
    smooth = [image, *(gaussian_filter(image, sigma) for sigma in SCALES_PX)]
    texture = [np.median(np.abs(a - b)[seen]) for a, b in zip(smooth, smooth[1:], strict=False)]
    return np.r_[np.percentile(image[seen], (5, 25, 50, 75, 95)), np.log(np.add(texture, 1e-4))]


def _tell(what: str, looks: np.ndarray, values: np.ndarray) -> AuditScore | None:
    """None if fewer than two sites or classes have enough patients."""
    counts = Counter(value for value in values.tolist() if value)
    names = sorted(name for name, count in counts.items() if count >= FOLDS)
    if len(names) < 2:
        return None
    part = np.isin(values, names)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight='balanced', max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    guesses = cross_val_predict(model, looks[part], values[part], cv=folds)
    recalls = recall_score(values[part], guesses, labels=names, average=None)
    low, high = _interval([(guesses == values[part])[values[part] == name] for name in names])
    found = {n: (float(r), counts[n]) for n, r in zip(names, recalls, strict=True)}
    return AuditScore(what, found, float(recalls.mean()), low, high)


def _interval(hits: Sequence[np.ndarray]) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean recall over patients, drawn within each class."""
    rng = np.random.default_rng(0)
    draws = [rng.choice(group, (DRAWS, len(group))).mean(1) for group in hits]
    low, high = np.percentile(np.mean(draws, axis=0), (2.5, 97.5))
    return float(low), float(high)


def _table(told: Sequence[AuditScore]) -> Table:
    columns = ('told', 'balanced accuracy', '95 % interval', 'chance', 'recall (patients)')
    table = Table(*columns, title='from the look outside the lungs')
    for one in told:
        recalls = ', '.join(f'{name} {r:.2f} ({n})' for name, (r, n) in one.recalls.items())
        interval = f'{one.low:.2f} to {one.high:.2f}'
        table.add_row(one.what, f'{one.score:.2f}', interval, f'{one.chance:.2f}', recalls)
    return table


def _warnings(told: Sequence[AuditScore], without_lung: int, cases: int) -> list[str]:
    texts = [
        f'the class can be told without looking at the lungs (balanced accuracy {one.score:.2f}, '
        f'{one.low:.2f} to {one.high:.2f}; a guess has {one.chance:.2f}): a class score here '
        'measures the source of a scan as well as the disease'
        for one in told
        if one.what == 'class' and one.low > one.chance
    ]
    texts += [
        f'fewer than two {"sites" if what == "site" else "classes"} have {FOLDS} patients, so '
        f'{what} was not audited'
        for what in ('site', 'class')
        if what not in {one.what for one in told}
    ]
    if without_lung:
        texts.append(
            f'{without_lung} of {cases} patients have no lung mask: their whole slices were read, '
            'lesions too'
        )
    return texts
