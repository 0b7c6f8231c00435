"""What a run stands on, as one number: config, data and code."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xaicovid_mm

from ..utils.files import file_sha256

PACKAGE = Path(xaicovid_mm.__file__).parent
TOOLS = ('train.py', 'test.py')
NOT_IN_A_RUN = ('apis', 'reproduction')
"""Parts of the package that neither training nor testing uses."""
PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'scipy',
    *(f'onedl-{name}' for name in ('mmengine', 'mmcv', 'mmsegmentation', 'mmpretrain')),
)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that config files read, for as long as they are read."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def code_sha256(tools: Path) -> str:
    """Of all that trains and tests, and of the versions that it stands on.

    Args:
        tools: Folder of the commands.
    """
    files = [
        path
        for path in sorted(PACKAGE.rglob('*.py'))
        if path.relative_to(PACKAGE).parts[0] not in NOT_IN_A_RUN
    ]
    parts = {path.relative_to(PACKAGE).as_posix(): file_sha256(path) for path in files}
    parts |= {name: file_sha256(tools / name) for name in TOOLS}
    return sha256_of(parts | {name: version(name) for name in PACKAGES})


def data_sha256(store: Path, split: str) -> str:
    """Of a store with every array in it, and of a split; takes as long as reading them all.

    Raises:
        FileNotFoundError: If there is no such store or split.
    """
    arrays = sorted(path for path in store.rglob('*.npy') if path.parent != store / 'splits')
    parts = {path.relative_to(store).as_posix(): file_sha256(path) for path in arrays}
    return sha256_of([records_sha256(store, split), parts])


def records_sha256(store: Path, split: str) -> str:
    """Of what a store says of itself, and of a split: what changes when it is made again.

    Raises:
        FileNotFoundError: If there is no such store or split.
    """
    manifest = store / 'manifest.json'
    if not manifest.is_file():
        raise FileNotFoundError(
            f'{manifest} is not there, so {store} is no slice store: make one with '
            'tools/prepare_data.py, or name another'
        )
    return sha256_of([file_sha256(manifest), file_sha256(_split(store, split))])


def sha256_of(value: Any) -> str:
    """Of anything that JSON can hold; what it cannot counts by its text."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _split(store: Path, split: str) -> Path:
    path = store / 'splits' / f'{split}.npy'
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is not there: make the split with tools/prepare_data.py split, or name '
            'another store or split'
        )
    return path
