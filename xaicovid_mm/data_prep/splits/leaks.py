"""Does a split leak: one patient, file or picture in two of training, validation and test."""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from ..store.reader import Case, SliceStore
from ..store.schema import ROLES
from .near_duplicates import lookalikes

PARTS = {'labelled': 'training', 'unlabelled': 'training', 'val': 'val', 'test': 'test'}
Leak = dict[str, Any]


def find_leaks(store: SliceStore, roles: np.ndarray, prints: np.ndarray) -> list[Leak]:
    """What training, validation and test share that they must not.

    Labelled and unlabelled slices may come from one patient: both are training.

    Args:
        store: The store.
        roles: Role of each row, positions in ``ROLES``.
        prints: Its ``fingerprints``.

    Returns:
        A record per pair of cases: ``what`` is the same, ``cases``, ``parts``; for near-identical
        slices how many, and of the nearest its slice numbers and correlation.
    """
    parts = np.array([PARTS.get(role, '') for role in ROLES])[roles]
    return [
        *_shared(store, parts, 'patient', lambda case: [case.patient]),
        *_shared(store, parts, 'file', lambda case: _image_hashes(store, case)),
        *_pictures(store, parts, prints),
    ]


def leak_text(leak: Leak) -> str:
    """One finding in words."""
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
    holders: dict[str, list[tuple[str, str]]] = {}
    for case in store.cases:
        rows = slice(case.first_row, case.first_row + case.rows)
        for key in keys(case):
            holders.setdefault(key, []).extend((p, case.name) for p in np.unique(parts[rows]) if p)
    found = {
        (one, other)
        for group in holders.values()
        for one, other in combinations(sorted(group), 2)
        if one[0] != other[0]
    }
    for one, other in sorted(found):
        yield dict(what=what, cases=[one[1], other[1]], parts=[str(one[0]), str(other[0])])


def _image_hashes(store: SliceStore, case: Case) -> list[str]:
    """Of the image files alone: two patients without a lesion may share an empty mask."""
    if store.manifest['parameters'].get('kind') != 'images':
        return case.sha256[:1]
    return case.sha256[:: 1 + case.has_lung + case.has_infection]


def _pictures(store: SliceStore, parts: np.ndarray, prints: np.ndarray) -> Iterator[Leak]:
    for held_out, others in (('test', ['training', 'val']), ('val', ['training'])):
        pairs = lookalikes(
            store,
            prints,
            np.flatnonzero(parts == held_out),
            np.flatnonzero(np.isin(parts, others)),
        )
        yield from _by_case(store, parts, pairs)


def _by_case(
    store: SliceStore, parts: np.ndarray, pairs: Iterable[tuple[int, int, float]]
) -> Iterator[Leak]:
    groups: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    for pair in pairs:  # the nearest first
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
