"""Fingerprint of a run: hashes of its config, its data and the code that trains and tests it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from ..engine import hashes
from ..engine.hashes import PACKAGE, data_sha256, sha256_of
from ..utils.files import file_sha256

TOOLS = ('train.py', 'test.py')
"""Commands of a run: files of ``tools``."""
COMMANDS = (*TOOLS, 'test_run.py')
"""The same of ``xaicovid_mm/cli``."""
NOT_IN_A_RUN = ('apis', 'cli', 'reproduction')
"""Folders of the package that neither training nor testing uses, but for ``COMMANDS``."""
PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'scipy',
    *(f'onedl-{name}' for name in ('mmengine', 'mmcv', 'mmsegmentation', 'mmpretrain')),
)
"""Installed packages whose versions count as code."""


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables, which config files read, for the duration of the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def code_sha256(tools: Path) -> str:
    """Hash the code that trains and tests, and the versions of the packages it uses.

    Args:
        tools: Folder of the commands.
    """
    folders = [path.name for path in PACKAGE.iterdir() if path.name not in NOT_IN_A_RUN]
    parts = hashes.code_sha256(PACKAGE, folders)
    parts |= {f'cli/{name}': file_sha256(PACKAGE / 'cli' / name) for name in COMMANDS}
    parts |= {name: file_sha256(tools / name) for name in TOOLS}
    return sha256_of(parts | {name: version(name) for name in PACKAGES})


def arrays_sha256(store: Path) -> str:
    """Hash all arrays of a store but its splits. This takes as long as reading the store."""
    arrays = sorted(path for path in store.rglob('*.npy') if path.parent != store / 'splits')
    return sha256_of({path.relative_to(store).as_posix(): file_sha256(path) for path in arrays})


def records_sha256(store: Path, split: str) -> str:
    """Hash the manifest of a store and a split: they change if either is made again.

    Raises:
        FileNotFoundError: If the store or the split does not exist.
    """
    manifest, roles = data_sha256(store, split)
    if manifest == 'missing':
        raise FileNotFoundError(
            f'{store / "manifest.json"} is not there, so {store} is no slice store: make one with '
            'xaicovid prepare, or name another'
        )
    if roles == 'missing':
        raise FileNotFoundError(
            f'{store / "splits" / split}.npy is not there: make the split with xaicovid prepare '
            'split, or name another store or split'
        )
    return sha256_of([manifest, roles])


def commit_of(project: Path) -> str | None:
    """Return the git commit of a project; None if tracked files changed or it is no checkout."""
    outputs = []
    for arguments in (('status', '--porcelain', '--untracked-files=no'), ('rev-parse', 'HEAD')):
        command = ['git', '-C', str(project), *arguments]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        outputs.append(result.stdout.strip())
    changes, commit = outputs
    return None if changes else commit
