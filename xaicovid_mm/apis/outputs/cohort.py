"""The pages and tables that list all cases of a run: ``cohort.html``, ``.json`` and ``.csv``."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluation.referral import FAILURES
from ...utils.files import write_csv, write_text
from ...utils.html import page_source, page_templates
from ...utils.names import COHORT_CSV, COHORT_JSON, COHORT_PAGE
from .quality_flags import GRAVE

KEPT = (
    'patient',
    'referral',
    'burden',
    'flags',
    'trust',
    'decisive',
    'facts',
    'lungs',
    'model',
    'input',
)
"""Parts of ``prediction.json`` that the list of cases has too."""
FORMULA = ('=', '+', '-', '@', '\t', '\r')
"""A table program would run a cell that begins so."""


@dataclass
class CaseOutcome:
    """The prediction of one case, or the error that prevented it.

    Attributes:
        case: Name of the case, as ``printable`` writes it.
        prediction: The parts ``KEPT`` of its ``prediction.json``, and the number of ``slices``.
        error: The error message; empty if there is a prediction. It may name files: it is shown to
            the user and not stored.
        shared_error: The error as it is stored, without what may name a patient.
    """

    case: str
    prediction: dict[str, Any] | None = None
    error: str = ''
    shared_error: str = ''

    def record(self) -> dict[str, Any]:
        """Its entry in ``cohort.json``."""
        return dict(case=self.case, prediction=self.prediction, error=self.shared_error)


def kept(prediction: dict[str, Any]) -> dict[str, Any]:
    """What the list of cases has of a ``prediction.json``."""
    return {key: prediction[key] for key in KEPT} | dict(slices=len(prediction['slices']))


def write_cohort(folder: Path, outcomes: Sequence[CaseOutcome]) -> None:
    """Write the list of all cases as a page, as JSON and as a table with a row per case.

    Raises:
        OSError: If the disk refuses.
    """
    page = (
        page_templates(__package__)
        .get_template('cohort.html.j2')
        .render(
            outcomes=outcomes,
            failed=sum(outcome.prediction is None for outcome in outcomes),
            codes=_codes(outcomes).most_common(),
            banner=_banner(outcomes),
            css=page_source(__package__, 'base.css') + page_source(__package__, 'cohort.css'),
            script=page_source(__package__, 'cohort.js'),
        )
    )
    rows = [figures(outcome) for outcome in outcomes]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    write_text(folder / COHORT_PAGE, page)
    write_text(folder / COHORT_JSON, json.dumps([o.record() for o in outcomes], indent=1))
    write_csv(folder / COHORT_CSV, rows, columns)


def figures(outcome: CaseOutcome) -> dict[str, Any]:
    """All figures of a case by column, as ``cohort.csv`` has them.

    Text that a table program would take for a formula begins with a quote.
    """
    row: dict[str, Any] = dict(case=_plain(outcome.case), error=_plain(outcome.shared_error))
    p = outcome.prediction
    if p is None:
        return row
    patient, burden, training = p['patient'], p['burden'], p['model'].get('training')
    row |= dict(class_predicted=patient['label'], confidence=patient['confidence'])
    row |= {f'probability_{name}': value for name, value in patient['probabilities'].items()}
    doubts = {f'doubt_{failure}': p['referral'][failure]['score'] for failure in FAILURES}
    row |= dict(doubts, refer=p['referral']['refer'])
    row |= dict(calibrated=patient['calibrated'], aggregation=patient['aggregation'])
    for side in ('total', 'right', 'left'):
        row |= {f'{side}_{name}': value for name, value in burden[side].items()}
    row |= dict(slices_with_lung=p['slices'])
    for name, trust in p['trust'].items():
        row |= {f'{name}_auc_against_mask': trust['auc']}
        row |= {f'{name}_share_outside_lung': trust['energy_outside_lung']}
    facts = dict(p['facts'])
    if 'lung_ml' in facts:  # ``total_lung_ml`` is that of the scan
        facts['slices_lung_ml'] = facts.pop('lung_ml')
    return row | dict(
        **facts,
        trained_on_phantoms='unknown' if training is None else training['phantom'],
        flags='; '.join(flag['code'] for flag in p['flags']),
        scan_sha256=p['input']['sha256'],
    )


def _codes(outcomes: Sequence[CaseOutcome]) -> Counter[str]:
    """Number of cases by code of a flag."""
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
    return Counter(
        code for p in predictions for code in dict.fromkeys(flag['code'] for flag in p['flags'])
    )


def _banner(outcomes: Sequence[CaseOutcome]) -> list[dict[str, Any]]:
    """Code, a text and the number of cases of each grave flag."""
    counts = _codes(outcomes)
    texts: dict[str, str] = {}
    for outcome in outcomes:
        for flag in (outcome.prediction or {}).get('flags', ()):
            texts.setdefault(flag['code'], flag['text'])
    return [dict(code=c, text=texts[c], count=counts[c]) for c in GRAVE if counts[c]]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
