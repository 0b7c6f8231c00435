"""Is one system better than another on the same slices?"""

from .bootstrap import paired_difference
from .report_table import score_rows
from .slice_rows import Rows, diagnosis_score, infection_score


def make_comparison(
    infection: tuple[Rows, Rows], diagnosis: tuple[Rows, Rows], resamples: int = 1000
) -> dict:
    """Differences a - b of every score with paired, patient-level 95 % bootstrap intervals.

    Args:
        infection: Rows of ``InfectionMetric`` of a and of b.
        diagnosis: Rows of ``DiagnosisMetric`` of a and of b.
        resamples: Of the bootstrap.

    Returns:
        What ``make_report`` returns, for ``as_table`` and ``write_report``.

    Raises:
        ValueError: If a and b did not score the same slices.
    """
    scores: dict[str, dict] = {}
    for prefix, (a, b), score in (
        ('seg', infection, infection_score),
        ('cls', diagnosis, diagnosis_score),
    ):
        _check_same(prefix, a, b)
        if a:
            both = paired_difference(score(a), score(b))
            scores |= score_rows(prefix, a, both, resamples)
    note = 'Differences, first minus second; an interval without 0 is more than chance.'
    return dict(scores=scores, notes=[note])


def _check_same(prefix: str, a: Rows, b: Rows) -> None:
    ids = [{(row['sample_id'], row['patient']) for row in rows} for rows in (a, b)]
    if ids[0] != ids[1]:
        odd = sorted(ids[0] ^ ids[1])[0][0]
        raise ValueError(
            f'{prefix}: the two systems scored {len(ids[0])} and {len(ids[1])} slices, and slice '
            f'{odd!r} is not the same in both: test both on the same split and role'
        )
