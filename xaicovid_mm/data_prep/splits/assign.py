"""Assign patients to training, validation and test roles."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from ...classes import CAP, CLASSES, COVID, NP
from ...utils.errors import StoreError
from ...utils.files import write_array
from ...utils.names import folder_fault
from ..store.reader import SliceStore
from ..store.records import Case
from ..store.schema import ROLES, UNKNOWN
from .record import write_record

Assignment = Mapping[str, Sequence[str]]
"""Patients by role."""
WITHOUT_MASK = 'COVID-19 without a mask'
DRAWN_ROLES = ('test', 'val', 'labelled', 'unlabelled')


def write_split(
    store: SliceStore,
    name: str,
    patients: Assignment,
    *,
    parameters: Mapping[str, Any] | None = None,
    labelled_slices: int | None = None,
    seed: int = 0,
) -> None:
    """Write ``splits/<name>``: each slice gets the role of its patient.

    Args:
        store: The store to split.
        name: Name of the split.
        patients: Patients by role; patients without a role take no part.
        parameters: How the split was made; its record keeps it.
        labelled_slices: As in Table II of the paper: so many slices of each of NP and CAP, drawn
            from all of its training cases, are labelled and the others are not. COVID-19 stays
            split by patient, since its labelled slices need a mask.
        seed: Seed of that draw.

    Raises:
        StoreError: If the name cannot be that of a file, no patient has a role or one has two, a
            role is unknown, a patient is not in the store, there are fewer training slices than
            ``labelled_slices``, or a labelled slice lacks its class or its mask.
    """
    if fault := folder_fault(name):
        raise StoreError(f'split name {name!r} {fault}', 'rename it: use letters, digits, - _ .')
    check_one_role(patients)
    if not any(patients.values()):
        raise StoreError(f'split {name!r} has no patient in any role', 'give patients roles')
    known = {case.patient for case in store.cases}
    if unknown := sorted({p for group in patients.values() for p in group} - known):
        raise StoreError(
            f'split {name!r} names patients that {store.root} does not have: {unknown}',
            'correct the names, or add their cases to the store',
        )
    role_of = {patient: role for role, group in patients.items() for patient in group}
    codes = np.array([ROLES.index(role_of.get(case.patient, 'none')) for case in store.cases])
    roles = codes[store.index['case']].astype(np.uint8)
    parameters = dict(parameters or {})
    if labelled_slices is not None:
        _label_slices(store, roles, labelled_slices, seed)
        parameters |= dict(labelled_slices=labelled_slices, seed=seed)
    if any(case.label is not None for case in store.cases):  # else it is a store for lungs only
        check_labelled(store, np.flatnonzero(roles == ROLES.index('labelled')))
    (store.root / 'splits').mkdir(exist_ok=True)
    record = dict(parameters=parameters, patients={role: sorted(p) for role, p in patients.items()})
    write_record(store, name, record)  # first: it removes the leaks that an earlier check found
    write_array(store.root / 'splits' / f'{name}.npy', roles)


def check_one_role(patients: Assignment) -> None:
    """Refuse a split in which a patient has two roles.

    Raises:
        StoreError: Naming the patient and both roles, or the unknown roles.
    """
    if unknown := sorted(set(patients) - set(ROLES[1:])):
        raise StoreError(f'a split has no roles {unknown}', f'choose one of {ROLES[1:]}')
    first_role: dict[str, str] = {}
    for role, group in patients.items():
        for patient in group:
            if first_role.setdefault(patient, role) != role:
                raise StoreError(
                    f'patient {patient!r} is both {first_role[patient]} and {role}', 'give one role'
                )


def check_labelled(store: SliceStore, rows: np.ndarray) -> None:
    """Refuse labelled slices (rows of the index) without a class, or of COVID-19 without a mask.

    Raises:
        StoreError: Naming the cases.
    """
    index = store.index[rows]
    for what, lacks in (
        ('class', index['label'] < 0),
        ('infection mask', (index['label'] == COVID) & (index['infection'] == UNKNOWN)),
    ):
        if lacks.any():
            names = sorted({store.cases[c].name for c in np.unique(index['case'][lacks])})
            raise StoreError(
                f'{store.root}: labelled cases without {what}: {names}',
                'give it in the case table, or make their patients unlabelled in the split',
            )


def random_split(
    store: SliceStore,
    seed: int,
    *,
    test: float = 0.25,
    val: float = 0.15,
    labelled_per_class: int = 5,
    labelled_fraction: float | None = None,
    fold: tuple[int, int] | None = None,
) -> dict[str, list[str]]:
    """Draw a split by patient, stratified by class and within a class by site.

    The seed fixes the order of the patients, and every split with that seed cuts this order into
    parts. So the test patients stay the same, and the labelled patients of 10 % are among those of
    20 %. Patients of unknown class are unlabelled. COVID-19 patients without a mask are never
    labelled, as in Table II of the paper.

    Args:
        store: The store to split.
        seed: Seed of the draw.
        test: Share of each class's patients for the test, rounded, at least one patient.
        val: Share of each class's patients for validation, likewise.
        labelled_per_class: Number of each class's patients whose slices are labelled; the other
            training patients are unlabelled.
        labelled_fraction: The same as a share of each class's training patients, rounded, at least
            one patient.
        fold: (k, K): the k-th of K parts of all but the test patients is for validation; ``val``
            is not used.

    Returns:
        Patients by role.

    Raises:
        StoreError: If no patient has a class, a patient has two classes, or a class has too few
            patients for all four roles.
    """
    rng = np.random.default_rng(seed)
    strata, patients = strata_of(store), {role: list[str]() for role in ROLES[1:]}
    patients['unlabelled'] = sorted({case.patient for case in strata.pop('unknown', [])})
    if not strata:
        raise StoreError(
            f'{store.root}: none of its {len(patients["unlabelled"])} patients has a class, '
            'so there is nothing to label, validate or test by',
            'give the classes in the case table and make the store again, or give the split '
            'by --file',
        )
    for name in filter(strata.get, (*CLASSES, WITHOUT_MASK)):
        group = _mixed_by_site(strata[name], rng)
        n_test, n_val = (max(round(share * len(group)), 1) for share in (test, val))
        if fold:
            group[n_test:], n_val = _fold_first(group[n_test:], *fold)
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
        for role, part in zip(DRAWN_ROLES, np.split(group, cuts), strict=True):
            patients[role].extend(part.tolist())
    return patients


def strata_of(store: SliceStore) -> dict[str, list[Case]]:
    """Cases by class of the patient, by ``WITHOUT_MASK``, or by 'unknown'."""
    label_of = _label_of_patients(store)
    without_mask = {
        case.patient for case in store.cases if case.label == COVID and not case.has_infection
    }
    strata: dict[str, list[Case]] = {}
    for case in store.cases:
        label = label_of.get(case.patient)
        name = 'unknown' if label is None else CLASSES[label]
        stratum = WITHOUT_MASK if case.patient in without_mask else name
        strata.setdefault(stratum, []).append(case)
    return strata


def _label_of_patients(store: SliceStore) -> dict[str, int]:
    label_of: dict[str, int] = {}
    for case in store.cases:
        if case.label is None:
            continue
        if label_of.setdefault(case.patient, case.label) != case.label:
            raise StoreError(
                f'patient {case.patient!r} has cases of two classes, {CLASSES[case.label]} '
                f'and {CLASSES[label_of[case.patient]]}',
                'give the split by --file',
            )
    return label_of


def _fold_first(patients: list[str], k: int, folds: int) -> tuple[list[str], int]:
    """Rotate patients so that the k-th of ``folds`` parts comes first, and give its length."""
    cuts = [len(patients) * number // folds for number in range(folds + 1)]
    return patients[cuts[k] :] + patients[: cuts[k]], cuts[k + 1] - cuts[k]


def _mixed_by_site(cases: Sequence[Case], rng: np.random.Generator) -> list[str]:
    """Patients in an order that takes one of each site in turn, so that every part mixes sites."""
    site_of: dict[str, str] = {}
    for case in cases:
        site_of.setdefault(case.patient, case.site)
    by_site = []
    for site in sorted(set(site_of.values())):
        group = sorted(patient for patient, its_site in site_of.items() if its_site == site)
        rng.shuffle(group)
        by_site.append(group)
    rng.shuffle(by_site)
    return [patient for patient in chain(*zip_longest(*by_site)) if patient is not None]


def _label_slices(store: SliceStore, roles: np.ndarray, count: int, seed: int) -> None:
    """Set the roles of NP and CAP training slices in place: ``count`` of each are labelled."""
    rng = np.random.default_rng(seed)
    training = np.isin(roles, (ROLES.index('labelled'), ROLES.index('unlabelled')))
    for label in (NP, CAP):
        rows = np.flatnonzero(training & (store.index['label'] == label))
        if len(rows) < count:
            raise StoreError(
                f'{store.root}: class {CLASSES[label]} has {len(rows)} training slices, '
                f'{count} are to be labelled',
                'lower --labelled-slices',
            )
        roles[rows] = ROLES.index('unlabelled')
        roles[rng.permutation(rows)[:count]] = ROLES.index('labelled')
