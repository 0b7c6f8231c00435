"""Summarise a store as tables: cases and slices by site, class and role, and warnings."""

from collections.abc import Iterable

import numpy as np
from rich.table import Table

from ..classes import CLASSES
from .splits.leaks import leak_text
from .splits.near_duplicates import comparable
from .splits.record import known_leaks
from .store.reader import SliceStore
from .store.records import Case
from .store.schema import EMPTY, ROLES, STORED

MAX_LISTED_LEAKS = 10


def store_tables(store: SliceStore, split: str | None = None) -> tuple[list[Table], list[str]]:
    """Count cases and slices as in Tables I and II of the paper, and collect warnings.

    Args:
        store: The store.
        split: Name of a split whose roles are counted too.

    Returns:
        The tables, and the warnings, a sentence each.
    """
    tables = [_by_site(store)]
    if split:
        tables.append(_by_role(store, split))
    return tables, [*_confounding(store, split), *(_leaks(store, split) if split else [])]


def _by_site(store: SliceStore) -> Table:
    table = Table('site', *CLASSES, 'unknown', title=f'cases (slices) of {store.root}')
    all_cases = list(store.cases)
    for site in sorted({case.site for case in all_cases}):
        cells = []
        for label in (*range(len(CLASSES)), None):
            cases = [c for c in all_cases if c.site == site and c.label == label]
            cells.append(f'{len(cases)} ({sum(c.rows for c in cases)})' if cases else '-')
        table.add_row(site, *cells)
    return table


def _by_role(store: SliceStore, split: str) -> Table:
    roles, index = store.roles(split), store.index
    patients = np.array([case.patient for case in store.cases])[index['case']]
    table = Table(
        'role', 'patients', 'slices', *CLASSES, 'with mask', 'infected', title=f'split {split}'
    )
    for code, role in enumerate(ROLES[1:], start=1):
        rows = index[roles == code]
        by_class = [str(int((rows['label'] == label).sum())) for label in range(len(CLASSES))]
        masks = int(np.isin(rows['infection'], (STORED, EMPTY)).sum())
        infected = int((rows['infection_px'] > 0).sum())
        count = len(set(patients[roles == code].tolist()))
        table.add_row(role, str(count), str(len(rows)), *by_class, str(masks), str(infected))
    return table


def _confounding(store: SliceStore, split: str | None) -> list[str]:
    if confounded := _confounded(store.cases):
        return [
            f'class is confounded with site ({confounded}), so a class score here measures the '
            'look of a source as well as the disease'
        ]
    if split is None:
        return []
    labelled = np.unique(store.index['case'][store.rows(split, 'labelled')])
    confounded = _confounded([store.cases[number] for number in labelled])
    return [f'labelled slices of split {split}: {confounded}'] if confounded else []


def _leaks(store: SliceStore, split: str) -> list[str]:
    leaks = known_leaks(store, split)
    if leaks is None:
        return [f'split {split} was not checked for leaks: use `split --name {split} --recheck`']
    texts = [f'split {split} leaks: {leak_text(leak)}' for leak in leaks[:MAX_LISTED_LEAKS]]
    if len(leaks) > MAX_LISTED_LEAKS:
        texts.append(f'{len(leaks) - MAX_LISTED_LEAKS} more leaks are in splits/{split}.json')
    if not comparable(store):
        size = ' x '.join(map(str, store.size))
        texts.append(
            f'slices of {size} pixels are too small to tell a copy from another patient, so '
            f'split {split} was checked by patient and file only'
        )
    return texts


def _confounded(cases: Iterable[Case]) -> str:
    """Name the classes that have no case from a site of another class; '' if there is none."""
    sites: dict[int, set[str]] = {}
    for case in cases:
        if case.label is not None:
            sites.setdefault(case.label, set()).add(case.site)
    all_sites = set().union(*sites.values())
    gaps = [(CLASSES[label], sorted(all_sites - its)) for label, its in sorted(sites.items())]
    return ', '.join(f'no {name} from {" or ".join(missing)}' for name, missing in gaps if missing)
