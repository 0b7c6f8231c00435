"""Who trains, who validates, who is never looked at: by patient."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .store import ROLES, SliceStore, StoreError
from .store_writer import write_array, write_text

Assignment = Mapping[str, Sequence[str]]


def write_split(
    store: SliceStore, name: str, patients: Assignment, parameters: dict[str, Any]
) -> None:
    """Write ``splits/<name>``: each slice gets the role of its patient.

    Args:
        store: Where it belongs.
        name: Of the split.
        patients: Role to patients; patients that no role names take no part.
        parameters: How the split came about.

    Raises:
        StoreError: If a patient has two roles, a role is unknown, or a patient is not in the store.
    """
    check_leak(patients)
    known = {case.patient for case in store.cases}
    if missing := sorted({p for group in patients.values() for p in group} - known):
        raise StoreError(f'split {name!r} names patients that {store.root} has not: {missing}')
    role_of = {patient: role for role, group in patients.items() for patient in group}
    codes = np.array([ROLES.index(role_of.get(case.patient, 'none')) for case in store.cases])
    (store.root / 'splits').mkdir(exist_ok=True)
    write_array(store.root / 'splits' / f'{name}.npy', codes[store.index['case']].astype(np.uint8))
    record = dict(parameters=parameters, patients={k: sorted(v) for k, v in patients.items()})
    write_text(store.root / 'splits' / f'{name}.json', json.dumps(record, indent=1))


def check_leak(patients: Assignment) -> None:
    """Refuse a split in which a patient has two roles.

    Raises:
        StoreError: Naming the patients and roles.
    """
    if unknown := sorted(set(patients) - set(ROLES[1:])):
        raise StoreError(f'a split has the roles {ROLES[1:]}, not {unknown}')
    seen: dict[str, str] = {}
    for role, group in patients.items():
        for patient in group:
            if seen.setdefault(patient, role) != role:
                raise StoreError(
                    f'patient {patient!r} is both {seen[patient]} and {role}: give one role'
                )


def random_split(
    store: SliceStore,
    seed: int,
    test: float = 0.25,
    val: float = 0.15,
    labelled_per_class: int = 5,
) -> dict[str, list[str]]:
    """Draw a split by patient, stratified by class.

    Args:
        store: Its cases need a class each.
        seed: Of the draw.
        test: Share of each class's patients, rounded, at least one.
        val: Likewise, of all patients.
        labelled_per_class: Patients whose slices are labelled; the rest is unlabelled.

    Returns:
        Role to patients.

    Raises:
        StoreError: If a class has too few patients for all four roles.
    """
    rng = np.random.default_rng(seed)
    patients: dict[str, list[str]] = {role: [] for role in ROLES[1:]}
    for label in sorted({case.label for case in store.cases if case.label is not None}):
        group = sorted({case.patient for case in store.cases if case.label == label})
        rng.shuffle(group)
        n_test, n_val = (max(round(share * len(group)), 1) for share in (test, val))
        if len(group) < n_test + n_val + labelled_per_class + 1:
            raise StoreError(
                f'class {label} has {len(group)} patients, the split needs at least '
                f'{n_test} test, {n_val} val, {labelled_per_class} labelled and 1 unlabelled'
            )
        cuts = np.cumsum([n_test, n_val, labelled_per_class])
        for role, part in zip(
            ('test', 'val', 'labelled', 'unlabelled'), np.split(group, cuts), strict=True
        ):
            patients[role].extend(part.tolist())
    return patients
