"""All that is wrong or odd about a case, found by the same steps in every command."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.errors import ScanError
from ..body import MAX_AIR_HU, enclosed_air
from ..io.image_folder import ImageFolderSpec
from ..load_case import LoadedCase
from .chest import chest_issues
from .display_values import display_issues
from .hounsfield import intensity_issues
from .issue import REFUSED, WARNING, QualityIssue, refusals
from .masks import OUTER_HU, infection_outside, mask_issues

FindLungs = Callable[[np.ndarray, tuple[float, float, float]], np.ndarray]
"""Maps a scan (Z, Y, X) and its spacing in mm to its lungs, bool (Z, Y, X)."""


@dataclass(frozen=True)
class Inspection:
    """What an inspection found.

    Attributes:
        lung: bool (Z, Y, X), given or found; None where neither is possible.
        issues: All that is wrong or odd; empty for a good chest CT.
    """

    lung: np.ndarray | None
    issues: list[QualityIssue]


def inspect_scan(case: LoadedCase, intensity: str, find_lungs: FindLungs) -> Inspection:
    """Look at the values, the chest, the lungs and the masks of a case.

    If the values are no Hounsfield units, lungs found among them would mean nothing: then only the
    values and the masks are judged.

    Args:
        case: Files that could not be used are left out; ``LoadedCase.errors`` has them.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
        find_lungs: Finds the lungs of a scan in HU that comes without a lung mask.

    Raises:
        DataError: If the scan itself could not be read.
    """
    if case.scan is None:
        raise case.errors[0].error
    scan, lung = case.scan, case.mask('lung')
    if intensity == 'display':
        issues = display_issues(scan.data, scan.spacing_mm, lung)
        return Inspection(lung, [*issues, *_mask_issues(case, lung, None)])
    issues = [_made_of_images(case.images)] if case.images else intensity_issues(scan.data)
    if refusals(issues):
        return Inspection(lung, [*issues, *_mask_issues(case, lung, None)])
    lung = find_lungs(scan.data, scan.spacing_mm) if lung is None else lung
    issues += chest_issues(scan.data, scan.spacing_mm, lung)
    outer_air = None
    if case.masks:
        outer_air = (scan.data < OUTER_HU) & ~enclosed_air(scan.data < MAX_AIR_HU)
    return Inspection(lung, [*issues, *_mask_issues(case, lung, outer_air)])


def refuse(path: str | Path, issues: Iterable[QualityIssue], accept: Sequence[str] = ()) -> None:
    """Raise the first issue that is a refusal.

    Args:
        path: Of the scan, for the message.
        issues: Of ``inspect_scan``.
        accept: Codes that are no reason to refuse.

    Raises:
        ScanError: Naming the file, with the statistics that give it away, and the remedy.
    """
    for issue in issues:
        if issue.severity == REFUSED and issue.code not in accept:
            raise ScanError(f'{path}: {issue.text}', issue.remedy)


def check_hounsfield(path: str | Path, data: np.ndarray) -> None:
    """Refuse values that are no Hounsfield units: half of a well-known public set is windowed.

    Raises:
        ScanError: See ``refuse``.
    """
    refuse(path, intensity_issues(data))


def _made_of_images(images: ImageFolderSpec) -> QualityIssue:
    """That a folder of images shows HU through this window is believed, and said."""
    low, high = images.window_hu
    text = (
        f'read from 8-bit pictures as {low:g} to {high:g} HU with the spacing that was given: '
        'neither could be checked'
    )
    return QualityIssue('pictures', text, 'give the scan itself', WARNING)


def _mask_issues(
    case: LoadedCase, lung: np.ndarray | None, outer_air: np.ndarray | None
) -> Iterator[QualityIssue]:
    for column, mask in case.masks.items():
        if column == 'infection' and case.infection_ruled_out and not mask.any():
            continue  # an empty mask is what such a case should have
        yield from mask_issues(column, mask, outer_air)
    if 'infection' in case.masks and 'lung' in case.masks and lung is not None:
        yield from infection_outside(case.masks['infection'], lung)
