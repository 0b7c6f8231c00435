"""The door: what a scan must be before anything is made of it."""

from pathlib import Path

import numpy as np

from .chest import chest_findings
from .finding import Finding, refusals
from .intensity import intensity_findings
from .store import StoreError


def scan_findings(
    hu: np.ndarray, spacing_mm: tuple[float, float, float], lung: np.ndarray
) -> list[Finding]:
    """All that is wrong or odd about a scan; nothing for a good chest CT.

    If the values are no HU that is all that is said: lungs found among them mean nothing.

    Args:
        hu: (Z, Y, X), upright, as read.
        spacing_mm: (z, y, x).
        lung: bool (Z, Y, X), given or found by threshold.
    """
    found = intensity_findings(hu)
    return found if refusals(found) else [*found, *chest_findings(hu, spacing_mm, lung)]


def check_hounsfield(path: str | Path, data: np.ndarray) -> None:
    """Refuse values that are no Hounsfield units: half of a well-known public set is windowed.

    Raises:
        StoreError: With the statistics that give it away, and the remedy.
    """
    refuse(path, intensity_findings(data))


def refuse(path: str | Path, findings: list[Finding]) -> None:
    """Raise the first finding that is a refusal.

    Raises:
        StoreError: Naming the file.
    """
    for finding in refusals(findings):
        raise StoreError(f'{path}: {finding.text}: {finding.remedy}')
