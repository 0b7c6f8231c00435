"""The table of a test: every score with its definition, its interval and its sample size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Column, Table

from ..utils.files import write_text
from .calibration_report import calibration_report
from .intervals import MIN_PATIENTS, score_intervals
from .mask_calibration import mask_calibration
from .metric_definitions import INTERVAL, definition
from .referral import referral_report, scan_doubts
from .slice_scores import SCORES, Rows

BASIS = (
    'Patients: those on whom a score rests (with infection, for scores of infection; of the '
    f'smallest class, for scores of classes). No interval under {MIN_PATIENTS}. One seed: an '
    'interval is of this training, and another seed can fall outside.'
)
"""What a reader of the table must know."""
SITE_SCORES = (
    'seg/dice_infected_patient_mean',
    'seg/empty_slice_perfect_share',
    'cls/accuracy_patient',
)
"""Scores that the table shows for each site; the JSON has all."""


def make_report(infection: Rows, diagnosis: Rows) -> dict:
    """Return every score with its 95 % interval over patients.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.

    Returns:
        ``scores``: name to value, low, high (both None under 6 patients), patients (on whom the
        score rests, of a score of classes those of the smallest), slices;
        ``sites``: the same of each site, if there are two; ``confidence``: calibration errors of
        classes and masks, where known; ``referral``: see ``referral_report``; ``notes``: what a
        reader must know; ``definitions``: name to its meaning.
    """
    scores = scores_of('seg', infection) | scores_of('cls', diagnosis)
    definitions = {name: definition(name) for name in scores} | {'interval': INTERVAL}
    return dict(
        scores=scores,
        sites=_by_site(infection, diagnosis),
        confidence=dict(
            classes=calibration_report(diagnosis) if diagnosis else None,
            masks=mask_calibration(infection),
        ),
        referral=referral_report(scan_doubts(infection, diagnosis)),
        notes=_notes(diagnosis),
        definitions=definitions,
    )


def as_table(report: dict, title: str) -> Table:
    """Return the report as a table for a terminal."""
    table = Table(
        Column('metric', overflow='fold'),
        'value',
        '95 % interval',
        'patients',
        'slices',
        title=title,
    )
    for name, s in report['scores'].items():
        _add_row(table, name, s)
    for site, scores in report['sites'].items():
        for name in SITE_SCORES:
            if name in scores:
                _add_row(table, f'{name}, {site}', scores[name])
    table.caption = ' '.join([BASIS, *_confidence(report), *report['notes']])
    return table


def _add_row(table: Table, name: str, score: dict[str, Any]) -> None:
    low, high, patients = (score[key] for key in ('low', 'high', 'patients'))
    interval = 'n/a' if low is None else f'{low:.3f} to {high:.3f}'
    table.add_row(name, f'{score["value"]:.3f}', interval, str(patients), str(score['slices']))


def _by_site(infection: Rows, diagnosis: Rows) -> dict[str, dict[str, dict]]:
    sites = sorted({row['site'] for row in [*infection, *diagnosis]})
    if len(sites) < 2:
        return {}
    return {
        site: {
            name: score
            for prefix, rows in (('seg', infection), ('cls', diagnosis))
            for name, score in scores_of(prefix, [r for r in rows if r['site'] == site]).items()
        }
        for site in sites
    }


def _confidence(report: dict) -> list[str]:
    """Sentences about calibration and referral, for below the table."""
    classes, masks = report['confidence']['classes'], report['confidence']['masks']
    levels = [] if classes is None else [('slices', classes['slices'])]
    levels += [] if classes is None else [('patients', classes['patients']['mean'])]
    levels += [] if masks is None else [('pixels, mean over patients', masks['patient'])]
    texts = [
        f'Calibration error of {name}: ECE {_known(its["ece_before"])}, ACE '
        f'{_known(its["ace_before"])}; after a temperature of the other patients '
        f'{_known(its["ece_after"])}, {_known(its["ace_after"])}.'
        for name, its in levels
    ]
    for kind, its in report['referral'].items():
        text = (
            f'Referral, {kind.replace("_", " ")}: AURC {_with_ends(its)}, blind '
            f'{its["risk"]:.3f}, excess {its["excess_aurc"]:.3f}, {its["patients"]} patients'
        )
        if other := its.get('disagreement'):
            text += (
                f'; by disagreement {_with_ends(other)}, which is '
                f'{_with_ends(other["less_doubt"], "+")} less the first'
            )
        texts.append(f'{text}.')
        if its['tied'] and its['low'] is not None:
            texts.append(
                f'{its["tied"]:.0%} of its scans share a score with another. Then its interval can '
                'hold in about 91 %, not 95.'
            )
    return texts


def _known(error: float | None) -> str:
    return 'n/a (too few)' if error is None else f'{error:.3f}'


def _with_ends(score: dict[str, Any], sign: str = '') -> str:
    low, high = score['low'], score['high']
    ends = '' if low is None else f' ({low:{sign}.3f} to {high:{sign}.3f})'
    return f'{score["aurc"]:{sign}.3f}{ends}'


def write_score_report(report: dict, path: str | Path) -> None:
    """Write the report as JSON, whole or not at all.

    Raises:
        OSError: If the disk refuses.
    """
    write_text(path, json.dumps(report, indent=1))


def scores_of(prefix: str, rows: Rows) -> dict[str, dict]:
    """Return the scores of the rows of a metric with their intervals, none without rows."""
    if not rows:
        return {}
    score = SCORES[prefix](rows)
    number = len(score.patients)
    intervals = score_intervals([score], number, score.groups)
    return {
        f'{prefix}/{name}': dict(value=value, **intervals[name]._asdict(), slices=len(rows))
        for name, value in score(np.ones(number)).items()
    }


def _notes(rows: Rows) -> list[str]:
    sites = {
        label: {r['site'] for r in rows if r['label'] == label}
        for label in {r['label'] for r in rows}
    }
    shared = set.intersection(*sites.values()) if sites else set()
    if len(sites) < 2 or shared:
        return []
    return [
        'Class is confounded with site here: no site has every class, so the cls/ scores measure '
        'the look of a source as well as the disease.'
    ]
