"""Find leaks of a split: a patient, file or image in two of training, validation and test."""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from ..identifiers import identifier
from ..store.reader import SliceStore
from ..store.records import Case
from ..store.schema import ROLES
from .near_duplicates import find_near_duplicates

PARTS = {'labelled': 'training', 'unlabelled': 'training', 'val': 'val', 'test': 'test'}
"""Part of a split by role; roles without a part take no part."""
Leak = dict[str, Any]
"""A record, ready for JSON, see ``find_leaks``."""


def find_leaks(store: SliceStore, roles: np.ndarray, slice_prints: np.ndarray) -> list[Leak]:
    """Find patients, image files and near-identical slices that two parts of a split share.

    Labelled and unlabelled slices may come from one patient: both are training.

    Args:
        store: The store.
        roles: Role of each row of the index, as positions in ``ROLES``.
        slice_prints: ``fingerprints`` of the store.

    Returns:
        A record per pair of cases, with 'what' they share ('patient', 'file' or 'slices'), 'cases'
        and 'parts'. For near-identical slices also their 'count' and, of the most similar pair,
        the slice numbers 'nearest' and the 'correlation'.
    """
    parts = np.array([PARTS.get(role, '') for role in ROLES])[roles]
    return [
        *_shared(store, parts, 'patient', lambda case: [identifier(case.patient)]),
        *_shared(store, parts, 'file', lambda case: _image_hashes(store, case)),
        *_near_duplicates(store, parts, slice_prints),
    ]


def leak_text(leak: Leak) -> str:
    """One leak in words."""
    (one, other), (part, other_part) = leak['cases'], leak['parts']
    text = f'case {one} ({part}) and case {other} ({other_part})'
    if leak['what'] != 'slices':
        return f'{text}: the same {leak["what"]}'
    number, other_number = leak['nearest']
    return (
        f'{text}: near-identical slices: {leak["count"]}, the nearest {number} and {other_number} '
        f'(correlation {leak["correlation"]:.2f})'
    )


def _shared(
    store: SliceStore, parts: np.ndarray, what: str, keys: Callable[[Case], list[str]]
) -> Iterator[Leak]:
    """Pairs of cases in different parts that have a key in common."""
    owners: dict[str, list[tuple[str, str]]] = {}  # (part, case) by key
    for case in store.cases:
        rows = slice(case.first_row, case.first_row + case.rows)
        for key in keys(case):
            owners.setdefault(key, []).extend((p, case.name) for p in np.unique(parts[rows]) if p)
    pairs = {
        (one, other)
        for group in owners.values()
        for one, other in combinations(sorted(group), 2)
        if one[0] != other[0]
    }
    for one, other in sorted(pairs):
        yield dict(what=what, cases=[one[1], other[1]], parts=[str(one[0]), str(other[0])])


def _image_hashes(store: SliceStore, case: Case) -> list[str]:
    """Hashes of the image files only: two patients without a lesion may share an empty mask."""
    if store.manifest['parameters'].get('kind') != 'images':
        return case.sha256[:1]
    return case.sha256[:: 1 + case.has_lung + case.has_infection + case.has_cause]


def _near_duplicates(
    store: SliceStore, parts: np.ndarray, slice_prints: np.ndarray
) -> Iterator[Leak]:
    for held_out, others in (('test', ['training', 'val']), ('val', ['training'])):
        pairs = find_near_duplicates(
            store,
            slice_prints,
            rows=np.flatnonzero(parts == held_out),
            other_rows=np.flatnonzero(np.isin(parts, others)),
        )
        yield from _by_case(store, parts, pairs)


def _by_case(
    store: SliceStore, parts: np.ndarray, pairs: Iterable[tuple[int, int, float]]
) -> Iterator[Leak]:
    groups: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    for pair in pairs:  # the most similar first
        groups.setdefault(tuple(store.index['case'][list(pair[:2])].tolist()), []).append(pair)
    for cases, group in groups.items():
        row, other, correlation = group[0]
        yield dict(
            what='slices',
            cases=[store.cases[number].name for number in cases],
            parts=[str(parts[row]), str(parts[other])],
            count=len({row for row, *_ in group}),
            nearest=store.index['slice'][[row, other]].tolist(),
            correlation=round(correlation, 3),
        )
