"""Where the configs are: in the folder of the user, in the checkout or in the wheel."""

import difflib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]


def project_folder() -> Path:
    """Return the folder with ``configs`` and ``tools``: the checkout, or ``.mim`` of a wheel."""
    installed = PACKAGE / '.mim'
    return installed if installed.is_dir() else PACKAGE.parent


def find_config(path: str | Path) -> Path:
    """Return the config file of a name: the file itself, or else the one that comes with us.

    Args:
        path: A path, or a name such as ``configs/quick/semi_vgg.py``.

    Raises:
        FileNotFoundError: If there is neither, with the nearest names.
    """
    if Path(path).is_file():
        return Path(path)
    ours = project_folder() / path
    if ours.is_file():
        return ours
    near = difflib.get_close_matches(str(path), _names(), n=3)
    hint = f'; names near it: {", ".join(near)}' if near else ''
    raise FileNotFoundError(f'{path}: no such config, neither here nor among ours{hint}')


def _names() -> list[str]:
    root = project_folder()
    paths = (path.relative_to(root) for path in root.glob('configs/**/*.py'))
    return sorted(path.as_posix() for path in paths if '_base_' not in path.parts)
