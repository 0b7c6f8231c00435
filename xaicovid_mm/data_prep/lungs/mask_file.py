"""The lung mask of one scan, as a file with a record of how it was made."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from ...utils.files import write_text
from ..io.scan import read_scan, scan_sha256
from ..orientation import from_upright
from ..quality.inspect import check_hounsfield
from ..quality.lung_mask import lung_flags

Finder = Callable[[np.ndarray, tuple[float, float, float]], np.ndarray]
"""Maps a scan (Z, Y, X) and its spacing in mm to the lungs, bool (Z, Y, X)."""


@dataclass(frozen=True)
class LungMethod:
    """A way to find lungs.

    Attributes:
        find: Does it.
        name: What it is called.
        sha256: Of the files that decide what it does, such as weights.
        intensity: What it takes: 'hu', or 'display' for scans that are 8-bit windowed already.
    """

    find: Finder
    name: str
    sha256: tuple[str, ...] = ()
    intensity: str = 'hu'


def write_lung_mask(image: Path, path: Path, method: LungMethod) -> list[str]:
    """Write the lung mask of a scan as NIfTI, on the scan's own grid.

    Nothing is done if the mask is there and its record, a JSON beside it, says that it was made of
    the same scan by the same method.

    Args:
        image: The scan.
        path: The mask, ``.nii.gz``; it appears with a single rename.
        method: How the lungs are found.

    Returns:
        What is odd about the mask, see ``lung_flags``.

    Raises:
        ScanError: For a scan that cannot be read or is not in HU, see ``read_volume``.
    """
    record = path.with_name(path.name.removesuffix('.nii.gz') + '.json')
    made = dict(scan_sha256=scan_sha256(image), **_named(method))
    if path.is_file() and record.is_file():
        earlier = json.loads(record.read_text(encoding='utf-8'))
        flags = earlier.pop('flags')
        if earlier == made:
            return flags
    record.unlink(missing_ok=True)
    scan = read_scan(image)
    if method.intensity == 'hu':
        check_hounsfield(image, scan.data)
    lungs = method.find(scan.data, scan.spacing_mm)
    flags = lung_flags(lungs, scan.data, scan.spacing_mm)
    _save(from_upright(lungs.astype(np.uint8), scan.affine), scan.affine, path)
    write_text(record, json.dumps(made | dict(flags=flags), indent=1))
    return flags


def _save(array: np.ndarray, affine: np.ndarray, path: Path) -> None:
    partial = path.with_name(f'.{path.name.removesuffix(".nii.gz")}.partial.nii.gz')
    try:
        nib.save(nib.Nifti1Image(array, affine), partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _named(method: LungMethod) -> dict:
    return dict(method=method.name, method_sha256=list(method.sha256), intensity=method.intensity)
