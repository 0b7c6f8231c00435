"""Summarise a store as tables: cases and slices by site, class and role, and warnings."""

from collections.abc import Iterable

import numpy as np
from rich.table import Table

from ..classes import CLASSES
from .identifiers import near_equal
from .quality.issue import WARNING
from .splits.leaks import leak_text
from .splits.near_duplicates import comparable
from .splits.record import known_leaks
from .store.reader import SliceStore
from .store.records import Case
from .store.schema import EMPTY, ROLES, STORED

MAX_LISTED = 10
"""Leaks, and cases with warnings, that are listed."""


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
    of_split = [*_empty_roles(store, split), *_leaks(store, split)] if split else []
    warnings = [*_case_warnings(store), *_near_equal(store, split), *_confounding(store, split)]
    return tables, [*warnings, *of_split]


def _case_warnings(store: SliceStore) -> list[str]:
    """What was found wrong or odd about cases when the store was made."""
    prefixes = (f'{WARNING}: ', 'accepted: ')
    found = [
        f'case {case.name}: {note.split(": ", 1)[1]}'
        for case in store.cases
        for note in case.notes
        if note.startswith(prefixes)
    ]
    more = len(found) - MAX_LISTED
    return found[:MAX_LISTED] + [f'{more} more warnings are in the notes of the cases'] * (more > 0)


def _near_equal(store: SliceStore, split: str | None) -> list[str]:
    """Patients and sites that may be the same, by their names; of a split also their roles."""
    parts: dict[str, set[str]] = {}
    if split:
        roles = store.roles(split)
        for case in store.cases:
            rows = roles[case.first_row : case.first_row + case.rows]
            parts.setdefault(case.patient, set()).update(ROLES[code] for code in np.unique(rows))
    found = []
    for what in ('patient', 'site'):
        for names in near_equal(getattr(case, what) for case in store.cases):
            listed = ', '.join(repr(name) + _roles_text(parts.get(name)) for name in names)
            found.append(f'{what}s {listed} differ in letter case, blanks, dashes or zeros only')
    more = len(found) - MAX_LISTED
    return found[:MAX_LISTED] + [f'{more} more names are near-equal'] * (more > 0)


def _roles_text(roles: set[str] | None) -> str:
    return f' ({" and ".join(sorted(roles))})' if roles else ''


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


def _empty_roles(store: SliceStore, split: str) -> list[str]:
    used = {ROLES[code] for code in np.unique(store.roles(split))}
    if not (empty := [role for role in ROLES[1:] if role not in used]):
        return []
    return [
        f'split {split} has no {" and no ".join(empty)} slices: a config that names such a role '
        'refuses it'
    ]


def _leaks(store: SliceStore, split: str) -> list[str]:
    leaks = known_leaks(store, split)
    if leaks is None:
        return [f'split {split} was not checked for leaks: use `split --name {split} --recheck`']
    texts = [f'split {split} leaks: {leak_text(leak)}' for leak in leaks[:MAX_LISTED]]
    if len(leaks) > MAX_LISTED:
        texts.append(f'{len(leaks) - MAX_LISTED} more leaks are in splits/{split}.json')
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
