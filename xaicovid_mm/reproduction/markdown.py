"""Cells and tables in Markdown, for the reports and the page of results."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def score_cell(mean: float, low: float | None, high: float | None) -> str:
    """Return a score with its interval; None: it rests on a single patient."""
    digits = 3 if max(mean, high or 0) <= 1 else 1
    return f'{mean:.{digits}f} {_interval(low, high, f".{digits}f")}'


def difference_cell(difference: float, low: float | None, high: float | None) -> str:
    """Return a difference with its sign and its interval, as ``score_cell``."""
    return f'{difference:+.3f} {_interval(low, high, "+.3f")}'


def _interval(low: float | None, high: float | None, form: str) -> str:
    if low is None or high is None:
        return '(no interval: one patient)'
    return f'({low:{form}} to {high:{form}})'
