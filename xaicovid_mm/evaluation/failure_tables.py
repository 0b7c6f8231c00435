"""Where a model fails: scores by what can be known of a slice, and the worst cases.

Not in the paper, which shows bad cases (small lungs, small lesions, slices at the ends) and counts
none.
"""

from typing import Any

import numpy as np

from ..classes import CLASSES
from ..data_prep.store.reader import SliceStore
from ..utils.overlap import dice_iou
from .referral import FAILURES, scan_doubts
from .score_report import scores_of
from .slice_scores import Rows

SHOWN = {
    'Dice, infected slices': 'seg/dice_infected_slice_mean',
    'infected slices hit': 'seg/hit_slice_share',
    'healthy slices left empty': 'seg/empty_slice_perfect_share',
    'right class, slices': 'cls/accuracy_slice',
}
"""Title of a column to its score."""
PARTS = ('lowest third', 'middle third', 'highest third')


def failure_tables(
    infection: Rows, diagnosis: Rows, store: SliceStore | None = None
) -> dict[str, dict[str, dict[str, dict]]]:
    """Score the slices apart by site, class, lesion size, lung area, position and spacing.

    Numbers are cut into thirds of the slices that have one; equal numbers stay together. A lesion
    is the true infection of a slice.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        store: Gives lung area and spacing. Default: tables without them.

    Returns:
        Title of a table to name of a group to score, as in ``make_report``.

    Raises:
        ValueError: If a slice is not in the store.
    """
    true_pixels = {r['sample_id']: int(r['tp']) + int(r['fn']) for r in infection}
    labels = {r['sample_id']: CLASSES[int(r['label'])] for r in diagnosis}
    every = {r['sample_id']: r for r in [*diagnosis, *infection]}
    known: dict[str, dict[str, Any]] = {
        'site': {name: r['site'] for name, r in every.items()},
        'class': labels,
        'lesion in pixels': _thirds({k: n for k, n in true_pixels.items() if n}),
        'position from the first slice (0) to the last (1)': _thirds(_positions(every, store)),
    }
    if store is not None:
        lung, spacing = _of_store(every, store)
        known |= {
            'lung in pixels': _thirds(lung),
            'distance of slices in mm': _thirds(spacing),
        }
    return {
        title: {
            group: _group_scores(
                [r for r in infection if groups.get(r['sample_id']) == group],
                [r for r in diagnosis if groups.get(r['sample_id']) == group],
            )
            for group in dict.fromkeys(sorted(groups.values(), key=_place))
        }
        for title, groups in known.items()
        if groups
    }


def worst_cases(infection: Rows, diagnosis: Rows, count: int) -> list[dict[str, Any]]:
    """Return the cases with the largest loss, the worst first.

    The loss is 1 - Dice of the case, and 1 more if the class is wrong.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        count: Number of cases.

    Returns:
        ``case``, ``patient``, ``site``, ``label``, ``wrong_class`` (0 or 1), ``dice`` and
        ``doubt``, the referral score of the class and that of the mask.
    """
    scans = scan_doubts(infection, diagnosis)
    order = sorted(scans, key=lambda scan: -(scan['missed_mask'] + scan['wrong_class']))
    return [
        dict(
            scan,
            dice=1 - scan.pop('missed_mask'),
            doubt=[getattr(scan['doubt'], failure) for failure in FAILURES],
        )
        for scan in order[:count]
    ]


def worst_slices(infection: Rows, count: int) -> list[str]:
    """Return the slices with infection of the lowest Dice, one a case, the worst first.

    Of slices of equal Dice it is the one with most infection.
    """
    infected = [r for r in infection if int(r['tp']) + int(r['fn'])]
    order = sorted(infected, key=lambda r: (_dice(r), -int(r['tp']) - int(r['fn'])))
    first: dict[str, str] = {}
    for row in order:
        first.setdefault(row['case'], row['sample_id'])
    return list(first.values())[:count]


def typical_slices(infection: Rows, count: int) -> list[str]:
    """Return slices with infection from the best to the worst Dice.

    They lie evenly among all slices in the order of their Dice, so half of them are better than
    the median. With one, it is the median. A slice of a patient who is not shown yet is taken
    where there is one near.

    Args:
        infection: Rows of ``InfectionMetric``.
        count: Number of slices.

    Returns:
        Their ``sample_id``, the best first; fewer if there are no more.
    """
    infected = [r for r in infection if int(r['tp']) + int(r['fn'])]
    order = sorted(infected, key=lambda r: (-_dice(r), r['sample_id']))
    count = min(count, len(order))
    places = np.linspace(0, len(order) - 1, count) if count > 1 else [(len(order) - 1) / 2][:count]
    chosen: list[str] = []
    patients: set[str] = set()
    near = max(len(order) // (4 * max(count, 1)), 1)
    for place in places:
        rest = [(k, r) for k, r in enumerate(order) if r['sample_id'] not in chosen]
        _, row = min(
            rest,
            key=lambda one: (
                abs(one[0] - place) + (near if one[1]['patient'] in patients else 0),
                one[0],
            ),
        )
        chosen.append(row['sample_id'])
        patients.add(row['patient'])
    return chosen


def _dice(row: dict[str, Any]) -> float:
    return float(dice_iou(np.array([int(row[k]) for k in ('tp', 'fp', 'fn')]))[0])


def _group_scores(infection: Rows, diagnosis: Rows) -> dict[str, dict]:
    found = scores_of('seg', infection) | scores_of('cls', diagnosis)
    return {name: found[name] for name in SHOWN.values() if name in found}


def _thirds(values: dict[str, float]) -> dict[str, str]:
    """Return the third of each slice, named with its range; 'all' where there is only one."""
    if not values:
        return {}
    numbers = np.array(list(values.values()), float)
    part = np.searchsorted(np.quantile(numbers, (1 / 3, 2 / 3)), numbers)
    names = {
        k: f'{PARTS[k]}: {numbers[part == k].min():.4g} to {numbers[part == k].max():.4g}'
        for k in np.unique(part).tolist()
    }
    if len(names) == 1:
        names = dict.fromkeys(names, f'all: {numbers.min():.4g} to {numbers.max():.4g}')
    return {name: names[k] for name, k in zip(values, part.tolist(), strict=True)}


def _place(group: str) -> tuple[int, str]:
    """Thirds stand in their order, other groups by name."""
    return next((k for k, part in enumerate(PARTS) if group.startswith(part)), 0), group


def _positions(every: dict[str, dict], store: SliceStore | None) -> dict[str, float]:
    number = {name: int(name.rpartition('/')[2]) for name in every}
    last: dict[str, int] = {}
    for name, row in every.items():
        last[row['case']] = max(last.get(row['case'], 0), number[name])
    if store is not None:
        last = {case.name: case.rows - 1 for case in store.cases}
    return {name: number[name] / max(last[every[name]['case']], 1) for name in every}


def _of_store(
    every: dict[str, dict], store: SliceStore
) -> tuple[dict[str, float], dict[str, float]]:
    """Return lung area and distance of slices, for those that have one."""
    cases = {case.name: case for case in store.cases}
    lung: dict[str, float] = {}
    spacing: dict[str, float] = {}
    for name, row in every.items():
        case, number = cases.get(row['case']), int(name.rpartition('/')[2])
        if case is None or number >= case.rows:
            raise ValueError(f'{store.root} has no slice {name!r}: give the store of the test')
        area = int(store.index['lung_px'][case.first_row + number])
        if area >= 0:
            lung[name] = area
        if case.spacing_mm:
            spacing[name] = case.spacing_mm[0]
    return lung, spacing
