"""A folder of pictures as a scan: possible where somebody says what no picture says of itself."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.errors import ScanError
from .image_files import read_stack

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')


@dataclass(frozen=True)
class ImageFolderSpec:
    """How 8-bit pictures were made of a scan.

    Attributes:
        window_hu: HU of black (0) and of white (255).
        spacing_mm: (z, y, x). Pictures in the order of their names go from foot to head, or from
            head to foot if z is negative.

    Raises:
        ValueError: For a window that does not rise, or a spacing of 0 or, in the plane, below.
    """

    window_hu: tuple[float, float]
    spacing_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        low, high = self.window_hu
        if not low < high:
            raise ValueError(f'window {low:g} to {high:g} HU: black must be below white')
        z, y, x = self.spacing_mm
        if z == 0 or min(y, x) <= 0:
            raise ValueError(f'spacing {z:g} {y:g} {x:g} mm: z must not be 0, y and x above 0')


def is_image_folder(path: str | Path) -> bool:
    """Whether a folder holds pictures."""
    path = Path(path)
    return path.is_dir() and any(file.suffix.lower() in SUFFIXES for file in path.iterdir())


def read_image_folder(
    path: str | Path, images: ImageFolderSpec | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read the pictures of a folder, a slice each, numbers in their names counted as numbers.

    They are taken as one sees them: front on top, the patient's right at the left.

    Raises:
        ScanError: If nobody says how they were made, something else lies among them, or one is
            no grey 8-bit image of the size of the others.
    """
    path = Path(path)
    if images is None:
        raise ScanError(
            f'{path} holds pictures, which say nothing of HU and mm',
            'give --window LOW HIGH and --spacing Z Y X, or the scan itself',
        )
    files = sorted((f for f in path.iterdir() if not f.name.startswith('.')), key=_by_number)
    if strangers := [file.name for file in files if file.suffix.lower() not in SUFFIXES]:
        raise ScanError(
            f'{path} holds pictures and {strangers[:3]}',
            'take the others out',
        )
    grey = read_stack(path, [dict(image=file.name, case=path.name) for file in files])
    low, high = images.window_hu
    hu = np.rint(low + grey / 255 * (high - low)).astype(np.int16)
    z, y, x = images.spacing_mm
    return hu.transpose(2, 1, 0), np.diag([-x, -y, z, 1.0])


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r'(\d+)', path.name)
    return [(int(part), '') if part.isdigit() else (-1, part) for part in parts]
