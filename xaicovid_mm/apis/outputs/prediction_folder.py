"""A case's folder: there whole or not at all, and nothing else is ever replaced."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

PREDICTION = 'prediction.json'


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name when the block ends well and goes when it does not.

    Raises:
        FileExistsError: If something of that name is there that is no earlier prediction.
        PermissionError: If the earlier prediction may not be replaced.
        OSError: If the disk refuses.
    """
    if folder.exists() and not (folder / PREDICTION).is_file():
        raise FileExistsError(f'{folder} is there and holds no {PREDICTION}: give another --out')
    if folder.exists() and not os.access(folder, os.W_OK):
        raise PermissionError(EACCES, 'an earlier prediction that may not be replaced', str(folder))
    partial = folder.with_name(f'.{folder.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array in the scan's own axis order with the scan's own affine.

    The header holds geometry only, nothing from the scan's header.
    """
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units('mm')
    nib.save(image, path)


def write_prediction(path: Path, prediction: dict[str, Any]) -> None:
    """Write ``prediction.json``; last, since it is what tells a prediction from other folders."""
    path.write_text(json.dumps(prediction, indent=1, allow_nan=False), encoding='utf-8')
