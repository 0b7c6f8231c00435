"""Look at the paths that a user names before any work is done."""

import tempfile
from pathlib import Path


def output_folder(path: str | Path, option: str) -> Path:
    """Make a folder for output, and see that files can be written there.

    Args:
        path: The folder.
        option: What named it, for the error: '--work-dir'.

    Raises:
        OSError: Naming the option, the folder and why.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f'{option} {folder}: nothing can be written there ({error.strerror}): name another',
        ) from error
    return folder


def checkpoint_file(path: str | Path) -> Path:
    """Return the path of a checkpoint that is there.

    Raises:
        FileNotFoundError: If it is no file; of a work dir, naming its newest checkpoint.
    """
    path = Path(path)
    if path.is_file():
        return path
    from ..engine.checkpoint import epoch_checkpoints  # slow, see ``parser``

    found = next(iter(epoch_checkpoints(path).values()), None) if path.is_dir() else None
    advice = f'did you mean {found}?' if found else 'only local files are loaded: check the path'
    start = '' if path.is_absolute() else f' (looked for in {Path.cwd()})'
    raise FileNotFoundError(f'{path}{start} is no checkpoint file: {advice}')
