"""How far several predictions of one scan differ: of its mirror image, of another training.

Not in the paper.
"""

from typing import NamedTuple

from .slice_scores import Rows

CLASS_COLUMN = 'shared_class'
"""Of a row of ``DiagnosisMetric``: what V predictions share of the class probabilities."""
MASK_COLUMNS = ('shared_px', 'view_px')
"""Of a row of ``InfectionMetric``: pixels in all of V masks, and the mean size of a mask."""


class Disagreement(NamedTuple):
    """How far the predictions of a scan differ, in [0, 1]; 1 is the most.

    Each is a referral score for the failure of its name, see ``referral.FAILURES``.

    Attributes:
        wrong_class: 1 less what the class probabilities share, mean over slices; of two predictions
            their total variation distance.
        missed_mask: 1 less the pixels in all masks over the mean size of a mask; of two predictions
            1 less their Dice. 0 where all are empty.
    """

    wrong_class: float
    missed_mask: float


def scan_disagreement(infection: Rows, diagnosis: Rows) -> Disagreement | None:
    """Return the disagreement of the rows of one scan; None if there was one prediction alone."""
    if MASK_COLUMNS[0] not in infection[0] or CLASS_COLUMN not in diagnosis[0]:
        return None
    shared, size = (sum(float(row[k]) for row in infection) for k in MASK_COLUMNS)
    agreed = sum(float(row[CLASS_COLUMN]) for row in diagnosis) / len(diagnosis)
    return Disagreement(1 - agreed, 1 - shared / size if size else 0.0)
