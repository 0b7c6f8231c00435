"""NIfTI or DICOM volumes by a case table into a slice store."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from .lung import lung_mask
from .nifti import check_hounsfield, read_volume
from .store import CLASSES, StoreError
from .store_writer import StoreWriter
from .volume import Volume, check_same_grid, read_scan, scan_sha256

COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')
Progress = Callable[[list[dict[str, str]]], Iterable[dict[str, str]]]


def prepare_volumes(
    table: str | Path,
    root: str | Path,
    size: int = 224,
    spacing_mm: tuple[float, float, float] | None = None,
    intensity: str = 'hu',
    min_lung_px: int = 100,
    progress: Progress = iter,
    workers: int = 1,
) -> None:
    """Turn volumes into a slice store.

    Args:
        table: CSV with ``COLUMNS``; paths relative to the table; infection, lung and label may be
            empty. Without a lung mask the lungs are found by threshold.
        root: Folder of the store.
        size: H = W of the stored slices; the paper has 224.
        spacing_mm: (z, y, x) to resample to first; the paper has 1 1 1. Default: as scanned.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
        min_lung_px: Slices with less lung at their stored size are left out.
        progress: Wraps the rows of the table, to show a bar.
        workers: Processes that read and resample; the store is the same for any number.

    Raises:
        StoreError: For a bad table or file, see ``read_scan``.
    """
    rows = _read_table(Path(table))
    parameters = dict(kind='volumes', size=size, spacing_mm=spacing_mm, min_lung_px=min_lung_px)
    writer = StoreWriter(root, (size, size), intensity, parameters)
    prepare = partial(
        _case,
        base=Path(table).parent,
        size=(size, size),
        spacing_mm=spacing_mm,
        intensity=intensity,
        min_lung_px=min_lung_px,
    )
    with _mapped(prepare, rows, workers) as cases:
        for _, case in zip(progress(rows), cases, strict=True):
            writer.add_case(**case)
    writer.close()


@contextmanager
def _mapped(
    prepare: Callable[[dict[str, str]], dict[str, Any]], rows: list[dict[str, str]], workers: int
) -> Iterator[Iterable[dict[str, Any]]]:
    if workers <= 1:
        yield map(prepare, rows)
        return
    with get_context('spawn').Pool(workers) as pool:
        yield pool.imap(prepare, rows)


def _case(
    row: dict[str, str],
    base: Path,
    size: tuple[int, int],
    spacing_mm: tuple[float, float, float] | None,
    intensity: str,
    min_lung_px: int,
) -> dict[str, Any]:
    """What ``StoreWriter.add_case`` takes, from a row of the table."""
    scan = read_scan(base / row['image'])
    if intensity == 'hu':
        check_hounsfield(base / row['image'], scan.data)
    infection, lung = (_read_mask(base, row, what, scan) for what in ('infection', 'lung'))
    notes = []
    if lung is None:
        if intensity != 'hu':
            raise StoreError(f'case {row["case"]!r}: display values need a lung mask in the table')
        lung = lung_mask(scan.data, scan.spacing_mm)
        notes.append('lungs by threshold')
    factors = _factors(scan, spacing_mm, size)
    image = _resampled(scan.data.astype(np.float32), factors, smooth=True)
    lung = _resampled(lung.astype(np.float32), factors) > 0.5
    if infection is not None:
        infection = _resampled(infection.astype(np.float32), factors) > 0.5
        lung |= infection
    kept = np.flatnonzero(lung.sum((1, 2)) >= min_lung_px)
    if not len(kept):
        raise StoreError(
            f'case {row["case"]!r}: no slice has {min_lung_px} px of lung; is it a chest in HU?'
        )
    notes.append(f'{len(image) - len(kept)} of {len(image)} slices left out: little lung')
    return dict(
        name=row['case'],
        patient=row['patient'],
        site=row['site'],
        image=image[kept],
        label=CLASSES.index(row['label']) if row['label'] else None,
        lung=lung[kept],
        infection=None if infection is None else infection[kept],
        source_slices=np.rint((kept + 0.5) / factors[0] - 0.5).clip(0, len(scan.data) - 1),
        spacing_mm=[s / f for s, f in zip(scan.spacing_mm, factors, strict=True)],
        affine=scan.affine,
        original_shape=scan.original_shape,
        source=Path(row['image']).name,
        sha256=[scan_sha256(base / row[k]) for k in ('image', 'infection', 'lung') if row[k]],
        notes=notes,
    )


def _read_mask(base: Path, row: dict[str, str], what: str, scan: Volume) -> np.ndarray | None:
    if not row[what]:
        return None
    mask = read_volume(base / row[what])
    check_same_grid(row['image'], scan, row[what], mask)
    return mask.data > 0


def _factors(
    scan: Volume, spacing_mm: tuple[float, float, float] | None, size: tuple[int, int]
) -> tuple[float, float, float]:
    along = 1.0 if spacing_mm is None else scan.spacing_mm[0] / spacing_mm[0]
    return (along, size[0] / scan.data.shape[1], size[1] / scan.data.shape[2])


def _resampled(
    data: np.ndarray, factors: tuple[float, float, float], smooth: bool = False
) -> np.ndarray:
    """Linear, whole voxels in and out; smoothed first along axes that shrink."""
    if smooth:
        data = gaussian_filter(data, [max((1 / f - 1) / 2, 0) for f in factors])
    return zoom(data, factors, order=1, grid_mode=True, mode='nearest')


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise StoreError(f'{path} does not exist: give a CSV with the columns {COLUMNS}')
    with open(path, newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    if not rows or (missing := [c for c in COLUMNS if c not in rows[0]]):
        raise StoreError(f'{path} lacks the columns {missing if rows else COLUMNS}')
    for row in rows:
        if row['label'] and row['label'] not in CLASSES:
            raise StoreError(
                f'{path}, case {row["case"]!r}: class {row["label"]!r} is none of {CLASSES}'
            )
    return rows
