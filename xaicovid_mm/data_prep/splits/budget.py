"""Derive splits in which few slices with infection are annotated: the annotation budget."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from ...utils.errors import StoreError
from ...utils.files import write_array
from ..store.reader import SliceStore
from ..store.schema import ROLES, STORED
from .record import read_record, write_record

LABELLED, UNLABELLED = ROLES.index('labelled'), ROLES.index('unlabelled')


def budget_split_name(split: str, budget: int | None) -> str:
    """Name of the split that a budget makes of a split; None, all slices: the split itself."""
    return split if budget is None else f'{split}_budget{budget}'


def write_budget_split(store: SliceStore, split: str, budget: int | None) -> str:
    """Write the split that leaves ``budget`` slices annotated; the same one is not made again.

    Of the labelled patients with infection those slices alone stay labelled, see
    ``annotated_rows``. The other slices of these patients become unlabelled, and all else keeps
    its role. Labelled and unlabelled are both training, so the leaks of the split are the same.

    Args:
        store: The store of the split.
        split: Name of a split.
        budget: Annotated slices with infection; None: all, which is the split itself.

    Returns:
        The name of the derived split, see ``budget_split_name``.

    Raises:
        StoreError: If there is no such split, or as ``annotated_rows``.
    """
    if budget is None:
        return split
    roles = np.array(store.roles(split))
    chosen = annotated_rows(store, split, budget)
    patients = _patients(store)
    annotated = np.unique(patients[infected_rows(store, split)])
    roles[(roles == LABELLED) & np.isin(patients, annotated)] = UNLABELLED
    roles[chosen] = LABELLED
    name = budget_split_name(split, budget)
    record = read_record(store, split)
    how = dict(record.get('parameters', {}), budget=budget, of=split)
    write_record(store, name, dict(record, parameters=how))
    path = store.root / 'splits' / f'{name}.npy'
    if not (path.is_file() and np.array_equal(store.roles(name), roles)):
        write_array(path, roles)
    return name


def annotated_rows(store: SliceStore, split: str, budget: int) -> np.ndarray:
    """Choose the rows of the index that a budget annotates, int64, ascending.

    The labelled patients with infection take turns until the budget is spent, so their shares
    differ by one slice at most, unless one of them has no more. The share of a patient lies evenly
    over its slices with infection, in the order of the index: the middles of equal parts.

    Args:
        store: The store.
        split: Name of a split.
        budget: Slices to annotate.

    Raises:
        StoreError: If the budget is below 1, or above the slices with infection that the labelled
            patients have.
    """
    rows = infected_rows(store, split)
    if not 1 <= budget <= len(rows):
        raise StoreError(
            f'{store.root}: a budget of {budget} annotated slices, but the labelled patients of '
            f'split {split!r} have {len(rows)} slices with infection',
            f'give a budget of 1 to {len(rows)}, or "all"',
        )
    owners = _patients(store)[rows]
    groups = [rows[owners == patient] for patient in sorted(set(owners.tolist()))]
    shares = _shares([len(group) for group in groups], budget)
    pairs = zip(groups, shares, strict=True)
    return np.sort(np.concatenate([group[_middles(len(group), share)] for group, share in pairs]))


def infected_rows(store: SliceStore, split: str, role: str = 'labelled') -> np.ndarray:
    """Rows of the index that have a role and whose stored mask shows infection, ascending."""
    rows = store.rows(split, role)
    entries = store.index[rows]
    return rows[(entries['infection'] == STORED) & (entries['infection_px'] > 0)]


def _patients(store: SliceStore) -> np.ndarray:
    """The patient of each row of the index."""
    return np.array([case.patient for case in store.cases])[store.index['case']]


def _shares(sizes: Sequence[int], budget: int) -> list[int]:
    shares = [0] * len(sizes)
    turns = cycle(range(len(sizes)))
    while sum(shares) < budget:
        number = next(turns)
        shares[number] += shares[number] < sizes[number]
    return shares


def _middles(length: int, parts: int) -> np.ndarray:
    """The middles of equal parts of a sequence, as positions."""
    return ((np.arange(parts) + 0.5) * length / max(parts, 1)).astype(int)
