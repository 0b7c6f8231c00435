"""Load a case from its files: a scan and its masks, on one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..utils.errors import DataError, ScanError
from .io.image_folder import ImageFolderSpec, is_image_folder
from .io.scan import read_scan, read_volume
from .volume import Volume, check_same_grid

CAUSE = 'cause'
"""Column of a mask of all that makes the case its class."""
MASKS = ('infection', 'lung', CAUSE)
FILES = ('image', *MASKS)
"""Columns of a case table that name files: the scan and its masks. A table may lack ``CAUSE``."""
UNREADABLE, OTHER_GRID = 'unreadable', 'other grid'


@dataclass(frozen=True)
class FileError:
    """A file of a case that cannot be used.

    Attributes:
        column: 'image', 'infection', 'lung' or 'cause'.
        code: ``UNREADABLE`` or ``OTHER_GRID``.
        error: What is wrong and what to do about it.
    """

    column: str
    code: str
    error: DataError


@dataclass
class LoadedCase:
    """A scan with its masks.

    Attributes:
        files: Path by column.
        scan: Upright; None if it cannot be read.
        masks: 'infection', 'lung' and 'cause', (Z, Y, X) on the grid of the scan, values as read.
            A mask that is not given or cannot be used is absent.
        errors: The files that cannot be used.
        images: How the scan was made, if it is a folder of images.
        series: SeriesInstanceUID of the scan, if its folder or zip holds several CT series.
        label: Name of the class; empty if it is unknown.
        mask_values: Values that count in a mask, by column; absent for a mask of 0 and 1.
    """

    files: Mapping[str, Path]
    scan: Volume | None = None
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    errors: list[FileError] = field(default_factory=list)
    images: ImageFolderSpec | None = None
    series: str = ''
    label: str = ''
    mask_values: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def mask(self, column: str) -> np.ndarray | None:
        """A mask as bool (Z, Y, X); None if the case has none."""
        if column not in self.masks:
            return None
        return binary_mask(self.masks[column], self.mask_values.get(column))

    def need_scan(self) -> Volume:
        """Get the scan of a case whose files can all be used.

        Raises:
            DataError: The first of ``errors``, if there is any.
        """
        for file_error in self.errors:
            raise file_error.error
        assert self.scan is not None
        return self.scan


def case_files(row: Mapping[str, str], base: Path) -> dict[str, Path]:
    """The files that a row of a case table names, by column; paths start from ``base``."""
    return {column: base / row[column] for column in FILES if row.get(column)}


def load_case(
    files: Mapping[str, Path],
    images: ImageFolderSpec | None = None,
    label: str = '',
    mask_values: Mapping[str, Sequence[int]] | None = None,
    series: str = '',
) -> LoadedCase:
    """Read the files of a case and check that they lie on one grid.

    A file that cannot be used raises nothing here. It is listed in ``errors``, so that a check can
    report all of them at once. Callers that need the whole case call ``need_scan``.

    Args:
        files: Path by column of ``FILES``; 'image' is required.
        images: How a folder of 8-bit images was made; without it such a folder is an error.
        label: Name of the class; empty if it is unknown.
        mask_values: Values that count in a mask, by column; absent for a mask of 0 and 1.
        series: SeriesInstanceUID of the scan, if its folder or zip holds several CT series.
    """
    case = LoadedCase(files, series=series, label=label, mask_values=mask_values or {})
    if is_image_folder(files['image']):
        case.images = images
    case.scan = _read(case, 'image')
    for column in MASKS:
        if column in files:
            _load_mask(case, column)
    return case


def _load_mask(case: LoadedCase, column: str) -> None:
    mask = _read(case, column)
    if case.scan is None or mask is None:
        return
    try:
        check_same_grid(case.files['image'], case.scan, case.files[column], mask)
    except ScanError as error:
        case.errors.append(FileError(column, OTHER_GRID, error))
    else:
        case.masks[column] = mask.data


def _read(case: LoadedCase, column: str) -> Volume | None:
    path = case.files[column]
    try:
        if column == 'image':
            return read_scan(path, case.series or None, case.images)
        return read_volume(path)
    except DataError as error:
        data_error = error
    except OSError as error:
        reason = error.strerror or repr(str(error))
        data_error = ScanError(f'{path} cannot be read ({reason})', 'check the path')
    except MemoryError:
        data_error = ScanError(
            f'{path} needs more memory than there is', 'give it more, or crop the scan'
        )
    case.errors.append(FileError(column, UNREADABLE, data_error))
    return None


def binary_mask(values: np.ndarray, wanted: Sequence[int] | None = None) -> np.ndarray:
    """The voxels of a mask that count, as bool of the same shape.

    Args:
        values: As read.
        wanted: Values that count; default: all above one half.
    """
    if values.dtype == bool:
        return values
    if wanted is None:
        return values > 0.5
    return np.isin(np.rint(values) if values.dtype.kind == 'f' else values, list(wanted))
