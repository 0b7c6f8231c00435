"""One case at the door: read, looked at, and what was found written down."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from .anonymous import anonymous
from .case_table import FILES
from .display import display_findings
from .door import scan_findings
from .finding import Finding, refusals, verdict
from .intensity import intensity_findings
from .lung import AIR_HU, enclosed, lung_mask
from .mask_findings import OUTER_HU, infection_outside, mask_findings
from .nifti import read_volume
from .store import CLASSES, StoreError
from .thumbnails import LUNG_WINDOW, Thumbnail, own_window, thumbnails
from .volume import Volume, check_same_grid, read_scan, scan_sha256

PERCENTILES = (0, 0.5, 5, 25, 50, 75, 95, 99.5, 100)
_REMEDY = re.compile(r': (?=(?:check|correct|decompress|export|extract|give|pack|re|set)\w* )')


@dataclass
class CheckedCase:
    """A case with its verdict.

    Attributes:
        record: What ``check.json`` says of it.
        pictures: What the page shows of it.
        errors: What the readers said, with the paths, for whoever started the check.
    """

    record: dict[str, Any]
    pictures: list[Thumbnail] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass
class CaseChecker:
    """From a row of the case table to what is wrong with it, in any process."""

    base: Path
    intensity: str = 'hu'

    def __call__(self, row: dict[str, str]) -> CheckedCase:
        """Read and look at a case; whatever is wrong with it is a finding, not an error."""
        return _Check(row, self.base, self.intensity).run()


class _Check:
    def __init__(self, row: dict[str, str], base: Path, intensity: str) -> None:
        self.row, self.intensity = row, intensity
        self.paths = {column: base / row[column] for column in FILES if row[column]}
        self.found: list[Finding] = []
        self.errors: list[str] = []

    def run(self) -> CheckedCase:
        scan = self._read('image')
        masks = {column: self._mask(column, scan) for column in FILES[1:] if self.row[column]}
        said, pictures = {}, []
        if scan is not None:
            drawn = {column: mask for column, mask in masks.items() if mask is not None}
            hounsfield = self.intensity == 'hu' and not refusals(intensity_findings(scan.data))
            if self.intensity == 'hu':
                self.found += _in_hu(scan, drawn, hounsfield)
            else:
                self.found += _in_display(scan, drawn)
            said, pictures = _said(scan), _pictures(scan, hounsfield)
        record = dict(
            case=self.row['case'],
            verdict=verdict(self.found),
            findings=[_rounded(finding) for finding in self.found],
            **said,
            sha256={column: _sha256(path) for column, path in self.paths.items()},
        )
        return CheckedCase(record, pictures, self.errors)

    def _read(self, column: str) -> Volume | None:
        path = self.paths[column]
        try:
            return read_scan(path) if column == 'image' else read_volume(path)
        except (StoreError, OSError) as error:
            self._refuse(f'{column} unreadable', error, column)
            return None

    def _mask(self, column: str, scan: Volume | None) -> np.ndarray | None:
        mask = self._read(column)
        if scan is None or mask is None:
            return None
        try:
            check_same_grid(self.paths['image'], scan, self.paths[column], mask)
        except StoreError as error:
            self._refuse('other grid', error, column)
            return None
        no_covid = self.row['label'] in CLASSES[:2]
        return None if no_covid and column == 'infection' and not mask.data.any() else mask.data

    def _refuse(self, code: str, error: Exception, column: str) -> None:
        self.errors.append(str(error))
        text = str(error)
        for name in dict.fromkeys((column, 'image')):
            text = anonymous(text, name, self.paths[name])
        split = [match.start() for match in _REMEDY.finditer(text)][-1:] or [len(text)]
        remedy = text[split[0] + 2 :] or 'see what was found'
        self.found.append(Finding(code, text[: split[0]], remedy))


def _in_hu(scan: Volume, masks: dict[str, np.ndarray], hounsfield: bool) -> Iterator[Finding]:
    lung = masks['lung'] > 0 if 'lung' in masks else lung_mask(scan.data, scan.spacing_mm)
    yield from scan_findings(scan.data, scan.spacing_mm, lung)
    outer_air = None
    if hounsfield and masks:
        outer_air = (scan.data < OUTER_HU) & ~enclosed(scan.data < AIR_HU)
    for column, mask in masks.items():
        yield from mask_findings(column, mask, outer_air)
    if len(masks) == 2:
        yield from infection_outside(masks['infection'], lung)


def _in_display(scan: Volume, masks: dict[str, np.ndarray]) -> Iterator[Finding]:
    lung = masks['lung'] > 0 if 'lung' in masks else None
    yield from display_findings(scan.data, scan.spacing_mm, lung)
    for column, mask in masks.items():
        yield from mask_findings(column, mask, None)
    if 'infection' in masks and lung is not None:
        yield from infection_outside(masks['infection'], lung)


def _said(scan: Volume) -> dict[str, Any]:
    values = np.percentile(scan.data, PERCENTILES).tolist()
    return dict(
        shape=list(scan.original_shape),
        slices=len(scan.data),
        spacing_mm=[round(mm, 4) for mm in scan.spacing_mm],
        orientation=''.join(nib.aff2axcodes(scan.affine)),
        percentiles={f'{p:g}': round(v, 3) for p, v in zip(PERCENTILES, values, strict=True)},
    )


def _pictures(scan: Volume, hounsfield: bool) -> list[Thumbnail]:
    window = LUNG_WINDOW if hounsfield else own_window(scan.data)
    return thumbnails(scan.data, scan.spacing_mm, window)


def _rounded(finding: Finding) -> dict[str, Any]:
    values = {name: round(float(value), 4) for name, value in finding.values.items()}
    return asdict(finding) | dict(values=values)


def _sha256(path: Path) -> str | None:
    try:
        return scan_sha256(path) if path.exists() else None
    except OSError:
        return None
