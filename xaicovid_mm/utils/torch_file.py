"""Files of ``torch.save``: nothing in them is executed, and they ask for no more than they hold."""

import zipfile
from pathlib import Path
from typing import IO, Any

import torch

_ZIP = b'PK\x03\x04'
"""By this begin torch knows a zip; older files are one pickle."""


def load_tensors(file: Path | IO[bytes], map_location: Any = 'cpu') -> Any:
    """Load tensors and primitives, in about as much memory as the file has bytes.

    ``torch.save`` compresses nothing. A file whose parts are larger than itself is a bomb: one
    megabyte can ask for a gigabyte.

    Args:
        file: A path, or an open file at its begin.
        map_location: As in ``torch.load``.

    Raises:
        ValueError: If a part is compressed or damaged, or the parts together are larger than the
            file.
        Exception: Whatever a broken file makes torch's reader stumble over.
    """
    if isinstance(file, Path):
        with file.open('rb') as opened:
            return load_tensors(opened, map_location)
    if file.read(len(_ZIP)) == _ZIP:
        with zipfile.ZipFile(file) as archive:
            _check_parts(archive)
    file.seek(0)
    return torch.load(file, map_location, weights_only=True)


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts, held = archive.infolist(), archive.start_dir
    asked = sum(part.file_size for part in parts)
    if asked > held or any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError(
            f'its parts ask for {asked} bytes, the file holds {held}, and torch.save '
            'compresses nothing'
        )
    if damaged := archive.testzip():  # torch does not look at the checksums
        raise ValueError(f'its part {damaged!r} is not what was written')
