"""Read a folder of 8-bit images as a scan, if the user states their window and spacing."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.errors import ScanError
from .dicom.files import holds_ct_image
from .ignored import SYSTEM_FILE, is_system_name
from .image_files import read_stack

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')


@dataclass(frozen=True)
class ImageFolderSpec:
    """How a folder of 8-bit images was made from a scan. The images themselves do not say.

    Attributes:
        window_hu: HU of black (0) and of white (255).
        spacing_mm: (z, y, x). In the order of their names the images go from foot to head, or from
            head to foot if z is negative.

    Raises:
        ValueError: If black is not below white, z is 0, or y or x is not above 0.
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
    """Whether a path is a folder that holds images, and no DICOM slice at any depth.

    Beside slices a picture is a preview, and slices may be named like pictures.
    """
    path = Path(path)
    if not (path.is_dir() and any(file.suffix.lower() in SUFFIXES for file in path.iterdir())):
        return False
    return not any(holds_ct_image(file) for file in path.rglob('*') if file.is_file())


def read_image_folder(
    path: str | Path, images: ImageFolderSpec | None
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Read the images of a folder, a slice each, in the order of the numbers in their names.

    The images must show the patient's front at the top and the patient's right at the left.

    Args:
        path: The folder.
        images: How the images were made.

    Returns:
        HU int16 (columns, rows, slices); the affine 4x4, voxel to mm (RAS); and the number of
        ignored files by reason.

    Raises:
        ScanError: If ``images`` is None, other files than those of the system lie among the
            images, or an image is not grey 8-bit or has another size than the others.
    """
    path = Path(path)
    if images is None:
        raise scale_unknown(path, 'give the scan itself, as NIfTI or DICOM')
    inside = sorted(path.iterdir(), key=_by_number)
    files = [f for f in inside if not (f.name.startswith('.') or is_system_name(f.name))]
    if others := [file.name for file in files if file.suffix.lower() not in SUFFIXES]:
        raise ScanError(f'{path} holds pictures and {others[:3]}', 'take the others out')
    grey = read_stack(path, [dict(image=file.name, case=path.name) for file in files])
    low, high = images.window_hu
    hu = np.rint(low + np.arange(256) / 255 * (high - low)).astype(np.int16)[grey]
    z, y, x = images.spacing_mm
    ignored = {SYSTEM_FILE: len(inside) - len(files)} if len(inside) > len(files) else {}
    return hu.transpose(2, 1, 0), np.diag([-x, -y, z, 1.0]), ignored


def scale_unknown(path: str | Path, remedy: str) -> ScanError:
    """The error for a folder of images whose HU and mm are unknown."""
    return ScanError(f'{path} holds pictures, which say nothing of HU and mm', remedy)


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r'(\d+)', path.name)
    return [(int(part), '') if part.isdigit() else (-1, part) for part in parts]
