"""Read a CT series of DICOM files: choose the series, sort its slices by position, stack them."""

from collections import defaultdict
from itertools import groupby
from pathlib import Path

import numpy as np

from ....utils.errors import ScanError
from ..ignored import COPY, OTHER_SERIES, SINGLE, IgnoredFile, count_by_reason
from ..limits import check_affine, check_bytes
from .files import DicomFile, find_dicom
from .header import frame_count
from .slices import DicomSlice, read_slices, slice_hu

_TO_RAS = np.diag([-1.0, -1, 1, 1])
MAX_JITTER = 0.05
"""How far a gap between slices may differ from the median, as a share of it."""
ROUNDED_MM = 0.101
"""How far it may differ at least: positions that are rounded to one decimal make so much."""
MAX_BEND_MM = 0.5
"""How far a slice may lie off the straight line through the stack."""
MAX_LISTED_FILES = 10


def read_dicom(
    path: str | Path, series: str | None = None
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Read a CT series.

    Args:
        path: A folder, at any depth, a zip, or one file. A file of one slice, or of a part of the
            frames, stands for its series, as it lies in its folder.
        series: SeriesInstanceUID, if there are several series.

    Returns:
        HU (columns, rows, slices): int16, or float32 if slope or intercept is no whole number;
        the affine 4x4, voxel to mm (RAS); and the number of ignored files by reason.

    Raises:
        ScanError: If there is no series or several, if slices are missing, double or tilted, if
            they differ in size, spacing, orientation or patient, or if
            ``find_dicom``, ``read_slices`` or ``slice_hu`` refuses one of them.
    """
    path = Path(path)
    slices, ignored = _find_slices(path, series)
    affine = _affine(slices)
    check_affine(path, affine)
    return _stack(path, slices).transpose(2, 1, 0), affine, count_by_reason(ignored)


def series_slices(path: Path, series: str | None = None) -> list[DicomSlice]:
    """Find the slices of a CT series, in the order of ``read_dicom``, without their pixels.

    Raises:
        ScanError: See ``read_dicom``.
    """
    return _find_slices(path, series)[0]


def _find_slices(path: Path, series: str | None) -> tuple[list[DicomSlice], list[IgnoredFile]]:
    files, ignored = _choose(path, series)
    slices = [piece for file in files for piece in read_slices(file)]
    _check_alike(slices)
    _check_one_patient(slices)
    return _sorted(path, slices), ignored


def _choose(path: Path, wanted: str | None) -> tuple[list[DicomFile], list[IgnoredFile]]:
    """The files of the wanted series, or of the only series with two slices or more."""
    files, ignored = find_dicom(path)
    if path.suffix.lower() != '.zip' and path.is_file() and len(files) == 1:
        header = files[0].header
        if frame_count(header) == 1 or header.text('ConcatenationUID'):
            path, wanted = path.parent, wanted or header.text('SeriesInstanceUID')
            files, ignored = find_dicom(path)
    files, copies = _without_copies(files)
    ignored += copies
    by_series = defaultdict(list)
    for file in files:
        by_series[file.header.text('SeriesInstanceUID')].append(file)
    counts = {uid: sum(frame_count(f.header) for f in group) for uid, group in by_series.items()}
    fit = [uid for uid, count in counts.items() if count > 1 and wanted in (None, uid)]
    listed = ', '.join(f'{uid!r}: {n} slices' for uid, n in counts.items())
    if wanted is not None and counts and wanted not in counts:
        raise ScanError(
            f'{path} has no CT series {wanted!r}; found: {listed}; ignored: {_listed(ignored)}',
            'give the UID of one of them',
        )
    if len(fit) != 1:
        raise ScanError(
            f'{path} holds {len(fit)} CT series that fit, one with two slices or more is '
            f'wanted; found: {listed or "none"}; ignored: {_listed(ignored)}',
            'give the folder of one series, or its UID in the column series of the table or with '
            'infer --series',
        )
    for uid in counts.keys() - {fit[0]}:
        reason = SINGLE if counts[uid] == 1 and wanted is None else OTHER_SERIES
        ignored += [IgnoredFile(file.header.name, reason) for file in by_series[uid]]
    return by_series[fit[0]], ignored


def _without_copies(files: list[DicomFile]) -> tuple[list[DicomFile], list[IgnoredFile]]:
    """Leave out files with the same fields and the same pixels as an earlier one."""
    by_header = defaultdict(list)
    for file in files:
        by_header[file.header.raw_values()].append(file)
    copies = {
        file
        for first, *others in by_header.values()
        for file in others
        if file.stored_pixels() == first.stored_pixels()
    }
    kept = [file for file in files if file not in copies]
    return kept, [IgnoredFile(file.header.name, COPY) for file in files if file in copies]


def _listed(files: list[IgnoredFile]) -> str:
    rest = len(files) - MAX_LISTED_FILES
    more = f' and {rest} more' if rest > 0 else ''
    return (', '.join(map(str, files[:MAX_LISTED_FILES])) or 'nothing') + more


def _check_alike(slices: list[DicomSlice]) -> None:
    first = slices[0]
    for piece in slices[1:]:
        for field, value, first_value in (
            ('Rows and Columns', piece.size, first.size),
            ('PixelSpacing', piece.spacing, first.spacing),
            ('ImageOrientationPatient', piece.cosines, first.cosines),
        ):
            if np.abs(np.subtract(value, first_value)).max() > 1e-3:
                pair = (np.array(v).round(4).tolist() for v in (value, first_value))
                values = ' and '.join(map(str, pair))
                raise ScanError(
                    f'{piece.header.name} and {first.header.name} differ in {field}: {values}',
                    'give one series of one scan',
                )


def _check_one_patient(slices: list[DicomSlice]) -> None:
    """Refuse slices of two patients that share a series by mistake; some may name none."""
    known = [piece.header for piece in slices if piece.header.text('PatientID')]
    for header in known[1:]:
        if header.text('PatientID') != known[0].text('PatientID'):
            raise ScanError(
                f'{header.name} and {known[0].name} have one SeriesInstanceUID and differ in '
                'PatientID',
                'give each patient a folder of its own, and each series its own UID',
            )


def _sorted(path: Path, slices: list[DicomSlice]) -> list[DicomSlice]:
    """Sort slices by position along the normal, and refuse double or missing ones."""
    normal = np.cross(*slices[0].cosines)
    slices = sorted(slices, key=lambda piece: float(piece.position @ normal))
    positions = np.array([piece.position for piece in slices])
    gaps = np.diff(positions @ normal)
    step = float(np.median(gaps))
    for below, above, gap in zip(slices, slices[1:], gaps.tolist(), strict=False):
        pair = f'{path}: {below.header.name} and {above.header.name} lie {gap:.3f} mm apart'
        if gap < 1e-3:
            raise ScanError(f'{pair}, two slices at one position', 'give one series of one scan')
        if abs(gap - step) > max(MAX_JITTER * step, ROUNDED_MM):
            raise ScanError(
                f'{pair}, slices are {step:.3f} mm apart elsewhere: a slice is missing or too many',
                'export the whole series again',
            )
    _check_line(path, positions)
    return slices


def _check_line(path: Path, positions: np.ndarray) -> None:
    """Refuse a stack that is bent; ``check_affine`` refuses one that leans."""
    straight = np.linspace(positions[0], positions[-1], len(positions))
    apart = float(np.abs(positions - straight).max())
    if apart > MAX_BEND_MM:
        raise ScanError(
            f'{path}: slices lie up to {apart:.2f} mm off the line through the stack',
            'give one series of one scan',
        )


def _affine(slices: list[DicomSlice]) -> np.ndarray:
    first, last = slices[0], slices[-1]
    down, across = first.spacing
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = first.cosines[0] * across, first.cosines[1] * down
    affine[:3, 2] = (last.position - first.position) / (len(slices) - 1)
    affine[:3, 3] = first.position
    return _TO_RAS @ affine


def _stack(path: Path, slices: list[DicomSlice]) -> np.ndarray:
    """HU (slices, rows, columns). Each file is read once."""
    whole = all(value.is_integer() for piece in slices for value in piece.scale)
    rows, columns = slices[0].size
    check_bytes(path, len(slices) * rows * columns * (2 if whole else 4))
    stack = np.empty((len(slices), rows, columns), np.int16 if whole else np.float32)
    order = sorted(range(len(slices)), key=lambda k: slices[k].header.name)
    for _, group in groupby(order, key=lambda k: slices[k].file):
        numbers = list(group)
        dataset = slices[numbers[0]].file.dataset(len(numbers) * rows * columns * 2)
        for k in numbers:
            stack[k] = slice_hu(slices[k], dataset)
    return stack
