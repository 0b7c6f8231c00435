"""Check one case: read it, inspect it, and write down its issues."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ..case_table import Row
from ..io.scan import scan_sha256
from ..load_case import UNREADABLE, FileError, case_files, load_case
from ..lungs.threshold import lung_mask
from ..quality.inspect import inspect_scan
from ..quality.issue import QualityIssue, verdict
from ..volume import Volume
from .anonymize import anonymous
from .thumbnails import LUNG_WINDOW, Thumbnail, own_window, thumbnails

PERCENTILES = (0, 0.5, 5, 25, 50, 75, 95, 99.5, 100)


@dataclass(frozen=True)
class CheckedCase:
    """A case with its verdict.

    Attributes:
        record: Its entry in ``check.json``.
        thumbnails: Its images on the page.
        errors: Errors of its files, with their paths; shown to the user and not stored.
    """

    record: dict[str, Any]
    thumbnails: list[Thumbnail] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CaseChecker:
    """Check the case of a row of the table, in any process.

    Attributes:
        base: Folder that the paths of the table start from.
        intensity: 'hu' or 'display'.
        mask_values: Values that count in a mask that is a label map, by column.
    """

    base: Path
    intensity: str = 'hu'
    mask_values: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __call__(self, row: Row) -> CheckedCase:
        """Read and inspect a case. Whatever is wrong with it is an issue, never an exception."""
        files = case_files(row, self.base)
        case = load_case(
            files,
            label=row['label'],
            mask_values=self.mask_values,
            series=row.get('series', ''),
        )
        issues = [_file_issue(file_error, files) for file_error in case.errors]
        properties: dict[str, Any] = {}
        images: list[Thumbnail] = []
        if case.scan is not None:
            try:
                inspection = inspect_scan(case, self.intensity, lung_mask)
                properties = _properties(case.scan)
                images = _thumbnails(case.scan, inspection.in_hu)
                issues += inspection.issues
            except MemoryError:
                issues.append(_out_of_memory())
        record = dict(
            case=row['case'],
            verdict=verdict(issues),
            issues=[_rounded(issue) for issue in issues],
            **properties,
            sha256={column: _sha256(path) for column, path in files.items()},
        )
        return CheckedCase(record, images, [str(file_error.error) for file_error in case.errors])


def _out_of_memory() -> QualityIssue:
    text = 'looking at it needs more memory than there is'
    return QualityIssue('memory', text, 'give it more, use fewer --workers, or crop the scan')


def _thumbnails(scan: Volume, in_hu: bool) -> list[Thumbnail]:
    window = LUNG_WINDOW if in_hu else own_window(scan.data)
    return thumbnails(scan.data, scan.spacing_mm, window)


def _file_issue(file_error: FileError, files: dict[str, Path]) -> QualityIssue:
    """The issue of a file that cannot be used, without the names in its error."""
    column, error = file_error.column, file_error.error
    code = f'{column} {UNREADABLE}' if file_error.code == UNREADABLE else file_error.code
    return QualityIssue(code, anonymous(error.what, files), anonymous(error.remedy, files))


def _properties(scan: Volume) -> dict[str, Any]:
    values = np.percentile(scan.data, PERCENTILES).tolist()
    return dict(
        shape=list(scan.original_shape),
        slices=len(scan.data),
        ignored_files=dict(scan.ignored),
        spacing_mm=[round(mm, 4) for mm in scan.spacing_mm],
        orientation=''.join(nib.aff2axcodes(scan.affine)),
        percentiles={f'{p:g}': round(v, 3) for p, v in zip(PERCENTILES, values, strict=True)},
    )


def _rounded(issue: QualityIssue) -> dict[str, Any]:
    values = {name: round(float(value), 4) for name, value in issue.values.items()}
    record = asdict(issue) | dict(values=values)
    del record['column']  # the text names it
    return record


def _sha256(path: Path) -> str | None:
    try:
        return scan_sha256(path) if path.exists() else None
    except OSError:
        return None
