"""The output folder of a prediction. It appears whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path
from typing import Any

from ...utils.files import new_folder
from ...utils.locks import LOCKS, locked
from ...utils.names import PREDICTION, case_folder


@contextmanager
def prediction_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well, it takes the place of ``folder``.

    Only an earlier prediction is ever replaced. See ``new_folder``.

    Raises:
        LockedError: If another process writes the same folder.
        DataError: If ``folder`` has a name that no case can have, such as ``..``.
        FileExistsError: If ``folder`` exists and is no earlier prediction.
        PermissionError: If the earlier prediction may not be replaced.
        OSError: If the disk refuses.
    """
    case_folder(folder.parent, folder.name)
    if folder.exists() and not (folder / PREDICTION).is_file():
        raise FileExistsError(f'{folder} is there and holds no {PREDICTION}: give another --out')
    if folder.exists() and not os.access(folder, os.W_OK):
        raise PermissionError(EACCES, 'an earlier prediction that may not be replaced', str(folder))
    lock = folder.parent / LOCKS / folder.name
    with locked(lock, f'writing {folder}'), new_folder(folder) as partial:
        yield partial


def write_prediction(path: Path, prediction: dict[str, Any]) -> None:
    """Write ``prediction.json``, the file by which ``prediction_folder`` knows a prediction.

    Raises:
        ValueError: If the prediction holds NaN or an infinite number.
    """
    path.write_text(json.dumps(prediction, indent=1, allow_nan=False), encoding='utf-8')
