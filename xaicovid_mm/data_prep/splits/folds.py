"""Folds in which labelled, unlabelled and validation patients rotate, without a test set."""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from ...classes import CLASSES, COVID
from ...utils.errors import StoreError
from ..store.reader import SliceStore
from ..store.records import Case
from .assign import WITHOUT_MASK, Assignment, strata_of

MIN_FOLDS = 3
"""A part each for validation, labelled and unlabelled patients."""


def rotating_folds(store: SliceStore, folds: int = 5, seed: int = 0) -> list[Assignment]:
    """Divide the patients so that each validates in one fold, for data too few for a test set.

    The patients of each class stand in a drawn order that spreads every site evenly, and are cut
    into as many parts as there are folds. In fold k part k validates, half of the parts after it
    (rounded down) is labelled, and the rest is unlabelled. With five folds, a patient validates
    once and is labelled twice and unlabelled twice.

    Patients of unknown class, and COVID-19 patients without a mask, are unlabelled in all folds.

    Args:
        store: The store to divide.
        folds: Number of folds, at least ``MIN_FOLDS``.
        seed: Seed of the order.

    Returns:
        Patients by role, for each fold.

    Raises:
        StoreError: For too few folds, if no COVID-19 patient has a mask, or a class has fewer
            patients than folds.
    """
    if folds < MIN_FOLDS:
        raise StoreError(
            f'{folds} folds leave no patients to label or none to hide',
            f'ask for {MIN_FOLDS} or more',
        )
    strata, rng = strata_of(store), np.random.default_rng(seed)
    if CLASSES[COVID] not in strata:
        raise StoreError(
            f'{store.root} has no COVID-19 patient with an infection mask',
            'give masks in the case table and make the store again',
        )
    hidden = {case.patient for name in ('unknown', WITHOUT_MASK) for case in strata.get(name, [])}
    classes = {name: _spread(strata[name], rng) for name in CLASSES if name in strata}
    for name, patients in classes.items():
        if len(patients) < folds:
            raise StoreError(
                f'{store.root}: class {name} has {len(patients)} patients for {folds} folds',
                'ask for fewer folds, or add patients',
            )
    parts = [np.array_split(patients, folds) for patients in classes.values()]
    hidden -= set(chain(*classes.values()))
    return [_fold([part[k:] + part[:k] for part in parts], sorted(hidden)) for k in range(folds)]


def _fold(parts_of_classes: Iterable[list[np.ndarray]], hidden: list[str]) -> Assignment:
    """Patients by role; the first part of each class validates."""
    patients: dict[str, list[str]] = dict(val=[], labelled=[], unlabelled=[*hidden])
    for first, *others in parts_of_classes:
        half = len(others) // 2
        roles = ['val'] + ['labelled'] * half + ['unlabelled'] * (len(others) - half)
        for role, part in zip(roles, [first, *others], strict=True):
            patients[role] += part.tolist()
    return patients


def _spread(cases: Iterable[Case], rng: np.random.Generator) -> list[str]:
    """Patients in an order in which those of each site lie at even distances."""
    by_site: dict[str, set[str]] = {}
    for case in cases:
        by_site.setdefault(case.site, set()).add(case.patient)
    places: dict[str, float] = {}
    for site in sorted(by_site):
        group = rng.permutation(sorted(by_site[site])).tolist()
        for number, patient in enumerate(group):
            places.setdefault(patient, (number + 0.5) / len(group))
    return sorted(places, key=places.__getitem__)
