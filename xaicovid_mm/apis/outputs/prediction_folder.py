"""The folder of a prediction: there whole or not at all, and nothing else is ever replaced."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path
from typing import Any

from ...utils.files import new_folder

PREDICTION = 'prediction.json'


@contextmanager
def prediction_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name when the block ends well, see ``new_folder``.

    Raises:
        FileExistsError: If something of that name is there that is no earlier prediction.
        PermissionError: If the earlier prediction may not be replaced.
        OSError: If the disk refuses.
    """
    if folder.exists() and not (folder / PREDICTION).is_file():
        raise FileExistsError(f'{folder} is there and holds no {PREDICTION}: give another --out')
    if folder.exists() and not os.access(folder, os.W_OK):
        raise PermissionError(EACCES, 'an earlier prediction that may not be replaced', str(folder))
    with new_folder(folder) as partial:
        yield partial


def write_prediction(path: Path, prediction: dict[str, Any]) -> None:
    """Write ``prediction.json``; last, since it is what tells a prediction from other folders."""
    path.write_text(json.dumps(prediction, indent=1, allow_nan=False), encoding='utf-8')
