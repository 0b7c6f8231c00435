"""The files of a folder or a zip. Each is opened only when it is read."""

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ....utils.errors import ScanError
from ..limits import check_bytes

BAD_ZIP = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeError,
    zipfile.BadZipFile,
    zlib.error,
)
MAX_RATIO = 100
"""How much smaller than its content a large zip may be; CT images shrink to a half or a third."""
SMALL_ZIP = 64 * 2**20
"""Bytes of content up to which any ratio is accepted."""


@dataclass(frozen=True, eq=False)
class Source:
    """A file on the disk, or a member of a zip.

    Attributes:
        path: Of the file or zip.
        archive: The opened zip; None for a file on the disk.
        member: Its entry in the zip.
    """

    path: Path
    archive: zipfile.ZipFile | None = None
    member: zipfile.ZipInfo | None = None

    @property
    def name(self) -> str:
        """How errors call it."""
        return str(self.path) if self.member is None else f'{self.path}: {self.member.filename!r}'

    @property
    def file_name(self) -> str:
        """The name without folders."""
        return self.path.name if self.member is None else Path(self.member.filename).name

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return self.path.stat().st_size if self.member is None else self.member.file_size

    def is_regular(self) -> bool:
        """Whether it is a file that can be read to its end: no pipe, device or dangling link."""
        return self.member is not None or self.path.is_file()

    def open(self) -> BinaryIO:
        """Open it for reading from any place. A member of a zip is unpacked in pieces."""
        if self.archive is None or self.member is None:
            return open(self.path, 'rb')
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self.archive.open(self.member))))


def sources(path: Path) -> Iterator[Source]:
    """List the files of a folder at any depth, the members of a zip, or the one file.

    The order is fixed. Links to folders are not followed.

    Raises:
        ScanError: If a zip is damaged, packed in another way than zips usually are, or too large
            when it is unpacked.
        OSError: If a file cannot be read.
    """
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (Source(Path(folder, name)) for name in sorted(names))
        return
    with open(path, 'rb') as file:
        is_zip = file.read(2) == b'PK'
    yield from _members(path) if is_zip else [Source(path)]


def _members(path: Path) -> list[Source]:
    try:
        archive = zipfile.ZipFile(path)
    except BAD_ZIP as error:
        raise bad_zip(path, error) from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    unpacked = sum(member.file_size for member in members)
    check_bytes(path, unpacked)
    if unpacked > max(SMALL_ZIP, MAX_RATIO * path.stat().st_size):
        raise ScanError(
            f'{path} has {path.stat().st_size} bytes and asks for {unpacked} unpacked, more than '
            f'{MAX_RATIO} times as many: that is no scan',
            'pack it again',
        )
    if any(m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for m in members):
        raise ScanError(f'{path} is packed by another method than deflate', 'pack it again')
    return [Source(path, archive, member) for member in members]


def bad_zip(path: Path, error: Exception) -> ScanError:
    """The error for a damaged zip."""
    return ScanError(f'{path} cannot be read as zip ({str(error)!r})', 'pack it again')
