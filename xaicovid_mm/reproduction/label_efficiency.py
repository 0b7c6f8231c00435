"""Scores by annotation budget: of all folds, of those for choices, of the others, and by site."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data_prep.splits.budget import infected_rows
from ..data_prep.store.reader import SliceStore
from ..evaluation.comparison import RowsByMetric, read_test_rows
from .columns import DICE, DICE_INFECTED_PATIENT, DICE_INFECTED_SLICE, LEFT_EMPTY
from .runs import Run, Setting
from .scores import SystemRows, differences, system_scores

METRICS = {
    'Dice, infected slices': DICE_INFECTED_SLICE,
    'Dice, infected patients': DICE_INFECTED_PATIENT,
    'Dice, slice mean': DICE,
    'healthy slices left empty': LEFT_EMPTY,
}
"""Title of a column to its metric."""
OURS = 'ours_semi'
"""The system that the others are compared with."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the patients whose scores stand by themselves.

    Attributes:
        title: Name in the report.
        splits: The folds whose patients it holds.
        site: Patients of this site alone; None: of all.
    """

    title: str
    splits: tuple[str, ...]
    site: str | None = None


def parts_of(settings: Sequence[Setting], choices: Sequence[str]) -> list[Part]:
    """Return the parts of a report: all folds, those for choices, the others, and each site.

    Sites count if there are at least two among the scored patients with infection.

    Args:
        settings: Of all runs.
        choices: Splits on which choices were made; the others report.
    """
    splits = tuple(dict.fromkeys(setting.split for setting in settings))
    parts = [Part(title='all folds' if splits[1:] else splits[0], splits=splits)]
    if choices:
        others = tuple(split for split in splits if split not in choices)
        parts += [
            Part(title='folds that report', splits=others),
            Part(title='folds on which choices were made', splits=tuple(choices)),
        ]
    store = SliceStore(settings[0].store)
    sites = sorted({store.case_of(row).site for setting in settings for row in _scored(setting)})
    if len(sites) > 1:
        parts += [Part(title=f'site {site}', splits=splits, site=site) for site in sites]
    return parts


def finished_rows(runs: Iterable[Run]) -> dict[tuple[int | None, str], SystemRows]:
    """Read the test rows of the runs that are done, by budget and split."""
    found: dict[tuple[int | None, str], SystemRows] = {}
    for run in runs:
        if run.is_done():
            systems = found.setdefault((run.setting.budget, run.setting.split), {})
            systems.setdefault(run.name, {})[run.seed] = read_test_rows(run.tested)
    return found


def budget_scores(
    settings: Sequence[Setting],
    rows: dict[tuple[int | None, str], SystemRows],
    choices: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Score each part at each budget, ready for JSON.

    A seed of a system counts in a part if all folds of that part are done.

    Args:
        settings: Of all runs.
        rows: See ``finished_rows``.
        choices: See ``parts_of``.

    Returns:
        Records of ``part``, ``splits``, ``site``, ``budget`` (None: all), ``annotated`` (slices,
        the mean over the folds), ``patients`` with infection, ``slices`` with infection,
        ``systems`` (name to metric to ``mean`` and the fields of ``SystemScore``) and
        ``differences`` (of ``OURS`` less each other system, see ``compare``).

    Raises:
        ValueError: If a patient is scored in two splits.
    """
    _check_apart(settings)
    budgets = dict.fromkeys(setting.budget for setting in settings)
    return [
        _record(part, budget, settings, _pooled(part, budget, rows))
        for part in parts_of(settings, choices)
        for budget in budgets
    ]


def _record(
    part: Part,
    budget: int | None,
    settings: Sequence[Setting],
    tests: SystemRows,
) -> dict[str, Any]:
    own = [s for s in settings if s.budget == budget and s.split in part.splits]
    metrics = set(METRICS.values())
    scores = {
        name: {
            metric: vars(score) | dict(mean=score.mean)
            for metric, score in system_scores(seeds).items()
            if metric in metrics
        }
        for name, seeds in tests.items()
    }
    against = {
        name: {metric: found for metric, found in its.items() if metric in metrics}
        for name, its in differences(tests, OURS).items()
    }
    store = SliceStore(own[0].store)
    cases = [store.case_of(row) for setting in own for row in _scored(setting)]
    patients = [case.patient for case in cases if part.site in (None, case.site)]
    return dict(
        part=part.title,
        splits=list(part.splits),
        site=part.site,
        budget=budget,
        annotated=float(np.mean([len(infected_rows(store, s.training_split)) for s in own])),
        patients=len(set(patients)),
        slices=len(patients),
        systems=scores,
        differences=against,
    )


def _pooled(
    part: Part, budget: int | None, rows: dict[tuple[int | None, str], SystemRows]
) -> SystemRows:
    """The rows of all folds of a part together, of the seeds that all of them have."""
    folds = [rows.get((budget, split), {}) for split in part.splits]
    tests: SystemRows = {}
    for name in folds[0]:
        seeds = set.intersection(*(set(fold.get(name, {})) for fold in folds))
        for seed in sorted(seeds):
            tests.setdefault(name, {})[seed] = _joined([fold[name][seed] for fold in folds], part)
    return tests


def _joined(tests: Sequence[RowsByMetric], part: Part) -> RowsByMetric:
    """Rows of infection alone: the class is not what a budget of masks is about."""
    rows = [row for test in tests for row in test['seg'] if part.site in (None, row['site'])]
    return dict(seg=rows, cls=[])


def _scored(setting: Setting) -> np.ndarray:
    """Rows of the scored slices with infection."""
    return infected_rows(SliceStore(setting.store), setting.split, setting.role)


def _check_apart(settings: Sequence[Setting]) -> None:
    store, owner = SliceStore(settings[0].store), dict[str, str]()
    for setting in settings:
        rows = store.rows(setting.split, setting.role)
        for case in np.unique(store.index['case'][rows]):
            patient = store.cases[case].patient
            first = owner.setdefault(patient, setting.split)
            if first != setting.split:
                raise ValueError(
                    f'patient {patient!r} is scored in the splits {first!r} and '
                    f'{setting.split!r}: name splits whose {setting.role} patients differ (those '
                    'of xaicovid prepare folds with --role val), or one split'
                )
