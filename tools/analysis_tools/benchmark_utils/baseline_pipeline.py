"""Read slices without a slice store: with nibabel and scipy, or from a MONAI cache of that."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import zoom
from torch.utils.data import Dataset

WINDOW = (-1250, 250)


def read_upright(path: Path) -> np.ndarray:
    """Read a volume (Z, Y, X): rows from front to back, columns from the patient's right."""
    image = nib.as_closest_canonical(_load(path))
    return np.asarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]


def prepare_plainly(rows: Sequence[dict[str, str]], base: Path, out: Path, size: int) -> int:
    """Resample every slice of the cases and save it as .npy.

    Args:
        rows: Rows of a case table with lung masks.
        base: Folder of the case table.
        out: Folder for the arrays.
        size: Height and width of a slice in pixels.

    Returns:
        Number of slices.
    """
    count = 0
    for row in rows:
        volume, lung = (read_upright(base / row[column]) for column in ('image', 'lung'))
        factors = [1, *(size / side for side in volume.shape[1:])]
        slices = zoom(volume.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
        masks = zoom(lung.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
        np.save(out / f'{row["case"]}.npy', np.rint(slices).astype(np.int16))
        np.save(out / f'{row["case"]}_lung.npy', masks > 0.5)
        count += len(slices)
    return count


def read_slice(item: dict[str, Any]) -> dict[str, Any]:
    """Read one slice of a NIfTI file, windowed, resized, and 0 outside the lung."""
    image, lung = (_plane(item[column], item['slice']) for column in ('image', 'lung'))
    factors = [item['size'] / side for side in image.shape]
    values = zoom(image.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
    mask = zoom(lung.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest') > 0.5
    low, high = WINDOW
    windowed = ((values - low) / (high - low)).clip(0, 1) * mask
    return item | dict(image=windowed.astype(np.float32), lung=mask)


def _plane(path: str, number: int) -> np.ndarray:
    file = _load(path)
    axis = _axis(file)
    return np.asarray(file.dataobj[(slice(None),) * axis + (number,)])


def _load(path: str | Path) -> Any:
    """Load a file with nibabel; typed as Any since its stubs have no ``dataobj``."""
    return nib.load(path)


def _axis(file: Any) -> int:
    """Return the axis that runs from foot to head."""
    return nib.io_orientation(file.affine)[:, 0].tolist().index(2)


def slice_items(rows: Sequence[dict[str, str]], base: Path, size: int) -> Iterator[dict[str, Any]]:
    """Yield an item for ``read_slice`` per slice of the cases."""
    for row in rows:
        file = _load(base / row['image'])
        for number in range(file.shape[_axis(file)]):
            paths = {column: str(base / row[column]) for column in ('image', 'lung')}
            yield dict(**paths, slice=number, size=size)


class PlainSlices(Dataset):
    """Slices from NIfTI files or a MONAI cache, with the two views of ``StrongView``.

    Args:
        items: Items of ``slice_items``, or a MONAI dataset over them.
        views: Transform that makes the views.
    """

    def __init__(self, items: Sequence[dict[str, Any]], views: Any) -> None:
        """Keep the items and the transform."""
        self.items, self.views = items, views

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.items)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return a sample like that of ``SliceDataset``."""
        item = self.items[number]
        item = item if isinstance(item['image'], np.ndarray) else read_slice(item)
        return self.views(
            dict(
                image=np.asarray(item['image']),
                lung=np.asarray(item['lung']),
                infection=None,
                label=None,
                is_labelled=False,
                rng=np.random.default_rng(number),
                sample_id=str(number),
                case='',
                patient='',
                site='',
                slice_index=number,
                pixel_mm=None,
            )
        )
