"""How one does it without a store: nibabel and scipy, slice by slice; and MONAI's caches on top."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import zoom
from torch.utils.data import Dataset

WINDOW = (-1250, 250)


def upright(path: Path) -> np.ndarray:
    """A volume (Z, Y, X), rows front to back and columns from the patient's right."""
    image = nib.as_closest_canonical(_load(path))
    return np.asarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]


def plain_prepare(rows: Sequence[dict[str, str]], base: Path, out: Path, size: int) -> int:
    """Resample every slice of a case table and save it; returns how many."""
    count = 0
    for row in rows:
        volume, lung = (upright(base / row[column]) for column in ('image', 'lung'))
        factors = [1, *(size / side for side in volume.shape[1:])]
        slices = zoom(volume.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
        masks = zoom(lung.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
        np.save(out / f'{row["case"]}.npy', np.rint(slices).astype(np.int16))
        np.save(out / f'{row["case"]}_lung.npy', masks > 0.5)
        count += len(slices)
    return count


def read_slice(item: dict[str, Any]) -> dict[str, Any]:
    """One slice of a NIfTI file, windowed and resized, outside of the lung 0."""
    image, lung = (_plane(item[column], item['slice']) for column in ('image', 'lung'))
    factors = [item['size'] / side for side in image.shape]
    values = zoom(image.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest')
    mask = zoom(lung.astype(np.float32), factors, order=1, grid_mode=True, mode='nearest') > 0.5
    low, high = WINDOW
    shown = ((values - low) / (high - low)).clip(0, 1) * mask
    return item | dict(image=shown.astype(np.float32), lung=mask)


def _plane(path: str, number: int) -> np.ndarray:
    file = _load(path)
    axis = _axis(file)
    return np.asarray(file.dataobj[(slice(None),) * axis + (number,)])


def _load(path: str | Path) -> Any:
    """What nibabel makes of a file; its stubs know no ``dataobj``."""
    return nib.load(path)


def _axis(file: Any) -> int:
    """Which axis runs from foot to head."""
    return nib.io_orientation(file.affine)[:, 0].tolist().index(2)


def slice_items(rows: Sequence[dict[str, str]], base: Path, size: int) -> Iterator[dict[str, Any]]:
    """An item per slice of the volumes of a case table."""
    for row in rows:
        file = _load(base / row['image'])
        for number in range(file.shape[_axis(file)]):
            paths = {column: str(base / row[column]) for column in ('image', 'lung')}
            yield dict(**paths, slice=number, size=size)


class PlainSlices(Dataset):
    """Slices read from NIfTI, or from a MONAI cache, with the two views of ``StrongView``.

    Args:
        items: Of ``slice_items``, or a MONAI dataset over them.
        views: The transform that makes the views.
    """

    def __init__(self, items: Sequence[dict[str, Any]], views: Any) -> None:
        """Keep both."""
        self.items, self.views = items, views

    def __len__(self) -> int:
        """How many slices."""
        return len(self.items)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return the sample as the toolkit's dataset does."""
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
