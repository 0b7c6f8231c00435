"""Inspect a loaded case: the same checks for ``check``, ``volumes`` and ``infer``."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...utils.errors import ScanError
from ..io.image_folder import ImageFolderSpec
from ..load_case import LoadedCase
from .chest import chest_issues
from .display_values import display_issues
from .hounsfield import intensity_issues
from .ignored_files import ignored_issues
from .issue import WARNING, QualityIssue, refusals
from .lung_mask import MIN_LUNG_ML, FindLungs, missed_lung
from .masks import infection_outside, mask_issues, value_issues, whole_lung_infected
from .outer_air import OuterAir, OuterShare


@dataclass(frozen=True)
class Inspection:
    """The result of an inspection.

    Attributes:
        lung: bool (Z, Y, X), given or found; None where neither is possible.
        issues: All that is wrong or odd; empty for a good chest CT.
        in_hu: Whether the values are Hounsfield units.
    """

    lung: np.ndarray | None
    issues: list[QualityIssue]
    in_hu: bool


def inspect_scan(case: LoadedCase, intensity: str, find_lungs: FindLungs) -> Inspection:
    """Inspect the values, the chest, the lungs and the masks of a case.

    If the values are not Hounsfield units, the lungs and the chest are not inspected: lungs found
    among such values would mean nothing.

    Args:
        case: The case. Its ``errors`` are not repeated as issues.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
        find_lungs: Finds the lungs of a scan in HU that has no lung mask, and those with which a
            given mask is compared.

    Raises:
        DataError: If the scan could not be read.
    """
    scan, lung = case.scan or case.need_scan(), case.mask('lung')
    ignored = [*ignored_issues(scan.ignored)]
    if intensity == 'display':
        issues = [*ignored, *display_issues(scan.data, scan.spacing_mm, lung)]
        return Inspection(lung, [*issues, *all_mask_issues(case, lung, None)], in_hu=False)
    issues = [_assumed_scale(case.images)] if case.images else intensity_issues(scan.data)
    issues += ignored
    if refusals(issues):
        return Inspection(lung, [*issues, *all_mask_issues(case, lung, None)], in_hu=False)
    if lung is None:
        lung = find_lungs(scan.data, scan.spacing_mm)
    found = chest_issues(scan.data, scan.spacing_mm, lung)
    issues += map(_of_the_mask, found) if 'lung' in case.masks else found
    outer_share = OuterAir(scan.data, scan.spacing_mm)
    issues += all_mask_issues(case, lung, outer_share)
    if 'lung' in case.masks and not refusals(issues):
        given = missed_lung(lung, scan.data, scan.spacing_mm, find_lungs)
        issues += (replace(issue, column='lung') for issue in given)
    return Inspection(lung, issues, in_hu=True)


def refuse(files: Mapping[str, str | Path], issues: Iterable[QualityIssue]) -> None:
    """Raise the first issue because of which a scan is refused.

    Args:
        files: By column; ``image``, a path or another name, stands for those that are missing.
        issues: Issues from ``inspect_scan``.

    Raises:
        ScanError: Naming the file, the numbers that show what is wrong, and the remedy.
    """
    for issue in refusals(issues):
        file = files.get(issue.column, files['image'])
        raise ScanError(f'{file}: {issue.text}', issue.remedy)


def check_hounsfield(path: str | Path, data: np.ndarray) -> None:
    """Refuse a scan (Z, Y, X) whose values are not Hounsfield units.

    Half of the well-known set COVID-19-CT-Seg, for instance, is windowed to 0..255.

    Raises:
        ScanError: See ``refuse``.
    """
    refuse({'image': path}, intensity_issues(data))


def _of_the_mask(issue: QualityIssue) -> QualityIssue:
    """Lungs that a given mask says are not there, or are gas, are a fault of the mask at first."""
    if issue.code == 'no lungs':
        text = f'the lung mask has {issue.values["ml"]:.0f} ml, at least {MIN_LUNG_ML} expected'
    elif issue.code == 'gas':
        text = f'the voxels of the lung mask are gas: {issue.text.partition(": ")[2]}'
    else:
        return issue
    remedy = 'look at the lung mask: is it empty, inverted or of another scan? Or leave it out'
    return replace(issue, text=text, remedy=remedy, column='lung')


def _assumed_scale(images: ImageFolderSpec) -> QualityIssue:
    """A warning that the HU and mm of a folder of images are the user's word."""
    low, high = images.window_hu
    text = (
        f'read from 8-bit pictures as {low:g} to {high:g} HU with the spacing that was given: '
        'neither could be checked'
    )
    return QualityIssue('pictures', text, 'give the scan itself', WARNING)


def all_mask_issues(
    case: LoadedCase, lung: np.ndarray | None, outer_share: OuterShare | None
) -> Iterator[QualityIssue]:
    """Find issues of the masks of a case. A mask whose values are wrong gets no further checks.

    Args:
        case: The case.
        lung: bool (Z, Y, X), given or found; None if there is none.
        outer_share: Share of a mask in the air around the body; None if the scan is not in HU.
    """
    sound = {}
    for column, values in case.masks.items():
        issues = [*value_issues(column, values, case.mask_values.get(column))]
        mask = case.mask(column)
        if mask is not None and not refusals(issues):
            sound[column] = mask
            issues += mask_issues(column, mask, outer_share, case.label)
        yield from (replace(issue, column=column) for issue in issues)
    if 'infection' in sound and lung is not None:
        yield from infection_outside(sound['infection'], lung)
        yield from whole_lung_infected(sound['infection'], lung)
