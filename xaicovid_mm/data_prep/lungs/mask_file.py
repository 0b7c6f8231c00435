"""Write the lung mask of a scan to a file, with a record of how it was made."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.files import file_sha256, new_file, write_text
from ..io.nifti import write_nifti
from ..io.scan import read_scan, scan_sha256
from ..orientation import from_upright
from ..quality.chest import lung_issues
from ..quality.inspect import check_hounsfield
from ..quality.lung_mask import FindLungs, lung_mask_issues
from .threshold import lung_mask


@dataclass(frozen=True)
class LungMethod:
    """A method that finds lungs.

    Attributes:
        find: The function that finds them.
        name: Its name, for the record.
        sha256: Hashes of the files that decide what it does: weights, or the code of the threshold.
        intensity: What it takes: 'hu', or 'display' for scans that are 8-bit windowed already.
    """

    find: FindLungs
    name: str
    sha256: tuple[str, ...] = ()
    intensity: str = 'hu'


_CODE = ('threshold.py', 'airway.py', 'morphology.py', '../body.py')
THRESHOLD_METHOD = LungMethod(
    lung_mask, 'threshold', tuple(file_sha256(Path(__file__).parent / name) for name in _CODE)
)


def write_lung_mask(image: Path, path: Path, method: LungMethod, series: str = '') -> list[str]:
    """Write the lung mask of a scan as NIfTI, on the voxel grid of the scan's file.

    Nothing is done if the mask exists and its record, a JSON file beside it, says that it was made
    from the same scan by the same method.

    Args:
        image: The scan.
        path: The mask, ``.nii.gz``. It is written whole or not at all.
        method: How the lungs are found.
        series: SeriesInstanceUID of the scan, if its folder or zip holds several CT series.

    Returns:
        The texts of ``lung_issues``, or of ``lung_mask_issues`` for display values.

    Raises:
        ScanError: If the scan cannot be read, see ``read_scan``, or has to be in HU and is not.
    """
    record_path = path.with_name(path.name.removesuffix('.nii.gz') + '.json')
    record = dict(
        scan_sha256=scan_sha256(image),
        method=method.name,
        method_sha256=list(method.sha256),
        intensity=method.intensity,
        **(dict(series=series) if series else {}),
    )
    if path.is_file() and record_path.is_file():
        earlier = json.loads(record_path.read_text(encoding='utf-8'))
        flags = earlier.pop('flags')
        if earlier == record:
            return flags
    record_path.unlink(missing_ok=True)  # a mask without a record is made again
    scan = read_scan(image, series or None)
    if method.intensity == 'hu':
        check_hounsfield(image, scan.data)
    lungs = method.find(scan.data, scan.spacing_mm)
    issues = lung_issues if method.intensity == 'hu' else lung_mask_issues
    flags = [issue.text for issue in issues(lungs, scan.data, scan.spacing_mm)]
    array = from_upright(lungs.astype(np.uint8), scan.affine)
    with new_file(path) as partial:
        write_nifti(partial, array, scan.affine)
    write_text(record_path, json.dumps(record | dict(flags=flags), indent=1))
    return flags
