"""Who trains, who validates, who is never looked at: by patient."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import StoreError
from ...utils.files import write_array
from ..store.reader import Case, SliceStore
from ..store.schema import ROLES
from .record import write_record

Assignment = Mapping[str, Sequence[str]]
WITHOUT_MASK = 'COVID-19 without a mask'


def write_split(
    store: SliceStore,
    name: str,
    patients: Assignment,
    parameters: dict[str, Any],
    labelled_slices: int | None = None,
    seed: int = 0,
) -> None:
    """Write ``splits/<name>``: each slice gets the role of its patient.

    Args:
        store: Where it belongs.
        name: Of the split.
        patients: Role to patients; patients that no role names take no part.
        parameters: How the split came about.
        labelled_slices: Table II of the paper: so many slices of each of NP and CAP, drawn from all
            of its training cases, are labelled, and the others are not. COVID-19 stays by patient,
            since its labelled slices need a mask.
        seed: Of that draw.

    Raises:
        StoreError: If a patient has two roles, a role is unknown, a patient is not in the store, or
            there are fewer training slices than ``labelled_slices``.
    """
    check_leak(patients)
    known = {case.patient for case in store.cases}
    if missing := sorted({p for group in patients.values() for p in group} - known):
        raise StoreError(
            f'split {name!r} names patients that {store.root} has not: {missing}',
            'correct the names, or add their cases to the store',
        )
    role_of = {patient: role for role, group in patients.items() for patient in group}
    codes = np.array([ROLES.index(role_of.get(case.patient, 'none')) for case in store.cases])
    roles = codes[store.index['case']].astype(np.uint8)
    if labelled_slices is not None:
        _label_slices(store, roles, labelled_slices, seed)
        parameters = {**parameters, 'labelled_slices': labelled_slices, 'seed': seed}
    (store.root / 'splits').mkdir(exist_ok=True)
    record = dict(parameters=parameters, patients={k: sorted(v) for k, v in patients.items()})
    write_record(store, name, record)  # first: it takes back what an earlier check found
    write_array(store.root / 'splits' / f'{name}.npy', roles)


def check_leak(patients: Assignment) -> None:
    """Refuse a split in which a patient has two roles.

    Raises:
        StoreError: Naming the patients and roles.
    """
    if unknown := sorted(set(patients) - set(ROLES[1:])):
        raise StoreError(f'a split has no roles {unknown}', f'choose of {ROLES[1:]}')
    seen: dict[str, str] = {}
    for role, group in patients.items():
        for patient in group:
            if seen.setdefault(patient, role) != role:
                raise StoreError(
                    f'patient {patient!r} is both {seen[patient]} and {role}',
                    'give one role',
                )


def random_split(
    store: SliceStore,
    seed: int,
    test: float = 0.25,
    val: float = 0.15,
    labelled_per_class: int = 5,
    labelled_fraction: float | None = None,
    fold: tuple[int, int] | None = None,
) -> dict[str, list[str]]:
    """Draw a split by patient, stratified by class and within it by site.

    A seed fixes the order of the patients, and every split of that seed cuts it: the test set
    stays, and the labelled patients of 10 % are among those of 20 %. Patients of unknown class are
    unlabelled; COVID-19 patients without a mask are test, val or unlabelled, as in Table II.

    Args:
        store: Of the cases.
        seed: Of the draw.
        test: Share of each class's patients, rounded, at least one.
        val: Likewise, of all patients.
        labelled_per_class: Patients whose slices are labelled; the rest is unlabelled.
        labelled_fraction: The same as a share of each class's training patients, at least one.
        fold: (k, K): the k-th of K parts of all but the test patients validates, not ``val``.

    Returns:
        Role to patients.

    Raises:
        StoreError: If no patient has a class, one has two, or a class has too few patients for all
            four roles.
    """
    rng = np.random.default_rng(seed)
    strata, patients = _strata(store), {role: list[str]() for role in ROLES[1:]}
    patients['unlabelled'] = sorted({case.patient for case in strata.pop('unknown', [])})
    if not strata:
        raise StoreError(
            f'{store.root}: none of its {len(patients["unlabelled"])} patients has a class, '
            'so there is nothing to label, validate or test by',
            'give the classes in the case table and make the store again, or give the split '
            'by --file',
        )
    for name in filter(strata.get, (*CLASSES, WITHOUT_MASK)):
        group = _dealt_by_site(strata[name], rng)
        n_test, n_val = (max(round(share * len(group)), 1) for share in (test, val))
        if fold:
            group[n_test:], n_val = _turned(group[n_test:], *fold)
        n_labelled = labelled_per_class
        if labelled_fraction is not None:
            n_labelled = max(round(labelled_fraction * (len(group) - n_test - n_val)), 1)
        if name == WITHOUT_MASK:
            n_labelled = 0
        if not n_val or len(group) < n_test + n_val + n_labelled + 1:
            raise StoreError(
                f'class {name} has {len(group)} patients, the split needs at least {n_test} '
                f'test, {n_val} val, {n_labelled} labelled and 1 unlabelled',
                'add patients or lower the shares or folds, or give the split by --file',
            )
        cuts = np.cumsum([n_test, n_val, n_labelled])
        for role, part in zip(
            ('test', 'val', 'labelled', 'unlabelled'), np.split(group, cuts), strict=True
        ):
            patients[role].extend(part.tolist())
    return patients


def _strata(store: SliceStore) -> dict[str, list[Case]]:
    """Cases by class; apart, those that cannot be labelled, by what they lack."""
    covid = CLASSES.index('COVID-19')
    label_of: dict[str, int] = {}
    bare = set()
    for case in store.cases:
        if case.label is None:
            continue
        if label_of.setdefault(case.patient, case.label) != case.label:
            raise StoreError(
                f'patient {case.patient!r} has cases of two classes, {CLASSES[case.label]} '
                f'and {CLASSES[label_of[case.patient]]}',
                'give the split by --file',
            )
        if case.label == covid and not case.has_infection:
            bare.add(case.patient)
    strata: dict[str, list[Case]] = {}
    for case in store.cases:
        label = label_of.get(case.patient)
        name = 'unknown' if label is None else CLASSES[label]
        strata.setdefault(WITHOUT_MASK if case.patient in bare else name, []).append(case)
    return strata


def _turned(patients: list[str], k: int, folds: int) -> tuple[list[str], int]:
    """The same circle of patients from its k-th part on, and how many that part has."""
    cuts = [len(patients) * number // folds for number in range(folds + 1)]
    return patients[cuts[k] :] + patients[: cuts[k]], cuts[k + 1] - cuts[k]


def _dealt_by_site(cases: Sequence[Case], rng: np.random.Generator) -> list[str]:
    """Patients in an order that takes the sites in turn, so that every stretch of it mixes them."""
    site_of: dict[str, str] = {}
    for case in cases:
        site_of.setdefault(case.patient, case.site)
    decks = []
    for site in sorted(set(site_of.values())):
        deck = sorted(patient for patient, its in site_of.items() if its == site)
        rng.shuffle(deck)
        decks.append(deck)
    rng.shuffle(decks)
    return [patient for patient in chain(*zip_longest(*decks)) if patient is not None]


def _label_slices(store: SliceStore, roles: np.ndarray, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    training = np.isin(roles, (ROLES.index('labelled'), ROLES.index('unlabelled')))
    for label in (CLASSES.index('NP'), CLASSES.index('CAP')):
        rows = np.flatnonzero(training & (store.index['label'] == label))
        if len(rows) < count:
            raise StoreError(
                f'{store.root}: class {CLASSES[label]} has {len(rows)} training slices, '
                f'{count} are to be labelled',
                'lower --labelled-slices',
            )
        roles[rows] = ROLES.index('unlabelled')
        roles[rng.permutation(rows)[:count]] = ROLES.index('labelled')
