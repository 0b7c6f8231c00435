"""Cells and tables in Markdown, for the reports and the page of results."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def score_cell(
    mean: float, low: float | None, high: float | None, patients: int | None = None
) -> str:
    """Return a score with its interval and the patients n on whom it rests.

    Args:
        mean: The score.
        low: Lower end; None: there is no interval.
        high: Upper end.
        patients: None: not shown.
    """
    digits = 3 if max(mean, high or 0) <= 1 else 1
    number = '' if patients is None else f', n = {patients}'
    return f'{mean:.{digits}f} {_interval(low, high, f".{digits}f")}{number}'


def difference_cell(
    difference: float, low: float | None, high: float | None, p_value: float | None = None
) -> str:
    """Return a difference with its sign, its interval as ``score_cell``, and its p if known."""
    if p_value is None:
        chance = ''
    else:
        chance = ', p < 0.001' if p_value < 0.001 else f', p = {p_value:.3f}'
    return f'{difference:+.3f} {_interval(low, high, "+.3f")}{chance}'


def _interval(low: float | None, high: float | None, form: str) -> str:
    if low is None or high is None:
        return '(no interval)'
    return f'({low:{form}} to {high:{form}})'
