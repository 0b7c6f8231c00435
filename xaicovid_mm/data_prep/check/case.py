"""One case checked: read, inspected, and its issues written down."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ..io.scan import scan_sha256
from ..load_case import FILES, UNREADABLE, FileError, load_case
from ..lungs.threshold import lung_mask
from ..quality.hounsfield import intensity_issues
from ..quality.inspect import inspect_scan
from ..quality.issue import QualityIssue, refusals, verdict
from ..volume import Volume
from .anonymize import anonymous
from .thumbnails import LUNG_WINDOW, Thumbnail, own_window, thumbnails

PERCENTILES = (0, 0.5, 5, 25, 50, 75, 95, 99.5, 100)


@dataclass
class CheckedCase:
    """A case with its verdict.

    Attributes:
        record: The case's entry in ``check.json``.
        thumbnails: Its pictures on the page.
        errors: Errors of the readers, with paths, for whoever started the check.
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
    """

    base: Path
    intensity: str = 'hu'

    def __call__(self, row: dict[str, str]) -> CheckedCase:
        """Read and inspect a case; whatever is wrong with it is an issue, not an error."""
        files = {column: self.base / row[column] for column in FILES if row[column]}
        case = load_case(files, label=row['label'])
        issues = [_file_issue(failed, files) for failed in case.errors]
        errors = [str(failed.error) for failed in case.errors]
        properties: dict[str, Any] = {}
        pictures: list[Thumbnail] = []
        if case.scan is not None:
            issues += inspect_scan(case, self.intensity, lung_mask).issues
            properties = _properties(case.scan)
            pictures = self._thumbnails(case.scan)
        record = dict(
            case=row['case'],
            verdict=verdict(issues),
            findings=[_rounded(issue) for issue in issues],
            **properties,
            sha256={column: _sha256(path) for column, path in files.items()},
        )
        return CheckedCase(record, pictures, errors)

    def _thumbnails(self, scan: Volume) -> list[Thumbnail]:
        hounsfield = self.intensity == 'hu' and not refusals(intensity_issues(scan.data))
        window = LUNG_WINDOW if hounsfield else own_window(scan.data)
        return thumbnails(scan.data, scan.spacing_mm, window)


def _file_issue(failed: FileError, files: dict[str, Path]) -> QualityIssue:
    """A file that cannot be used, without the paths and names that its error holds."""
    text, remedy = failed.error.what, failed.error.remedy
    for column in dict.fromkeys((failed.column, 'image')):
        text = anonymous(text, column, files[column])
        remedy = anonymous(remedy, column, files[column])
    code = f'{failed.column} {UNREADABLE}' if failed.code == UNREADABLE else failed.code
    return QualityIssue(code, text, remedy or 'see what was found')


def _properties(scan: Volume) -> dict[str, Any]:
    values = np.percentile(scan.data, PERCENTILES).tolist()
    return dict(
        shape=list(scan.original_shape),
        slices=len(scan.data),
        spacing_mm=[round(mm, 4) for mm in scan.spacing_mm],
        orientation=''.join(nib.aff2axcodes(scan.affine)),
        percentiles={f'{p:g}': round(v, 3) for p, v in zip(PERCENTILES, values, strict=True)},
    )


def _rounded(issue: QualityIssue) -> dict[str, Any]:
    values = {name: round(float(value), 4) for name, value in issue.values.items()}
    return asdict(issue) | dict(values=values)


def _sha256(path: Path) -> str | None:
    try:
        return scan_sha256(path) if path.exists() else None
    except OSError:
        return None
