"""The work dir of a run belongs to that run alone."""

from pathlib import Path

from mmengine import Config

from ..utils.files import new_file
from .checkpoint import epoch_checkpoints

LOCK = '.lock'
"""File in the work dir that a training run locks."""


def refuse_second_run(work_dir: Path) -> None:
    """Refuse to train anew where a run has left checkpoints.

    Raises:
        FileExistsError: Naming the newest of them.
    """
    if found := epoch_checkpoints(work_dir):
        newest = next(iter(found.values()))
        raise FileExistsError(
            f'{work_dir} holds a run already ({newest.name}), which would be overwritten: '
            'go on with it by --resume, or train anew with another --work-dir'
        )


def write_config(config: Config, work_dir: Path, timestamp: str) -> None:
    """Write a config to the work dir, whole or not at all.

    Args:
        config: It keeps the name of its file; without a file it is named after the time.
        work_dir: The folder.
        timestamp: When the run started.

    Raises:
        OSError: If the disk refuses.
    """
    name = Path(config.filename or f'{timestamp}.py').name
    with new_file(work_dir / name) as path:
        config.dump(path)
