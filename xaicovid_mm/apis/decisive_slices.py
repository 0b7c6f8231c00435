"""Which slices weigh in the decision about a patient, and how."""

import numpy as np

from ..evaluation.aggregation import top_count

LISTED = 4
"""Number of slices that a page lists at most."""


def weighing_count(number: int, aggregation: str) -> int:
    """How many of a number of slices weigh in the decision for a class, see ``aggregate``."""
    if aggregation == 'max':
        return 1
    return top_count(number) if aggregation == 'top_k' else number


def decisive_slices(raw_scores: np.ndarray, label: int, aggregation: str) -> np.ndarray:
    """Return the positions of up to ``LISTED`` slices that weigh most for a class, most first.

    Args:
        raw_scores: (N, C) class probabilities of the slices, as they are aggregated.
        label: The class.
        aggregation: How they are aggregated, see ``aggregate``.
    """
    count = min(weighing_count(len(raw_scores), aggregation), LISTED)
    return np.argsort(-raw_scores[:, label], kind='stable')[:count]


def decision_rule(number: int, aggregation: str) -> str:
    """Say in words how a number of slices became the decision."""
    slices = f'{number} slices that show lung' if number > 1 else 'the one slice that shows lung'
    weigh = weighing_count(number, aggregation)
    few = 'the surest slice alone counts' if weigh == 1 else f'average of the surest {weigh} slices'
    return {
        'mean': f'average of {slices}',
        'max': f'for each class the surest of {slices} counts alone',
        'top_k': f'for each class {few}, out of {slices}',
        'noisy_or': f'for each class the chance that at least one of {slices} shows it',
    }[aggregation]


def decisive_text(number: int, label: str, aggregation: str) -> tuple[str, str]:
    """Title and text of the list of slices that weigh most for a class.

    Args:
        number: Number of slices that the model saw.
        label: Name of the class.
        aggregation: See ``aggregate``.
    """
    weigh = weighing_count(number, aggregation)
    listed = min(weigh, LISTED)
    if weigh == number:
        text = f'No slice decided alone: {decision_rule(number, aggregation)}.'
        return f'Slices most sure of {label}', f'{text} The surest of {label} ({listed}):'
    if weigh == 1:
        text = f'Of {number} slices one counts for {label}, the others do not:'
        return 'The slice that drove the decision', text
    text = f'{weigh} of {number} slices count for {label}, the others do not.'
    return 'Slices that drove the decision', f'{text} The {listed} surest:'
