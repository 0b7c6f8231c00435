"""Files of a scan that are not read, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SYSTEM_FILE = 'file of the system'
NO_FILE = 'no regular file'
NO_DICOM = 'no DICOM file'
OTHER_KIND = 'DICOM file of another kind'
OTHER_MODALITY = 'CT image of another modality'
LOCALIZER = 'localizer'
COPY = 'copy of another file'
OTHER_SERIES = 'image of another series'
SINGLE = 'image of a series of its own'
DOUBTFUL = (NO_FILE, NO_DICOM, OTHER_MODALITY, SINGLE)
"""Reasons for which a slice of the scan may have been ignored."""
SYSTEM_NAMES = ('dicomdir', 'thumbs.db', 'desktop.ini', '.ds_store', '.directory', '__macosx')


@dataclass(frozen=True)
class IgnoredFile:
    """A file that is not read.

    Attributes:
        name: Its name, for errors.
        reason: One of the reasons of this module. It holds nothing of the file.
        detail: What the file says of itself, in quotes; empty if ``reason`` says all.
    """

    name: str
    reason: str
    detail: str = ''

    def __str__(self) -> str:
        return f'{self.name} ({", ".join(filter(None, (self.reason, self.detail)))})'


def is_system_name(name: str) -> bool:
    """Whether a file of this name belongs to a file system or a viewer and never is a scan."""
    return name.lower() in SYSTEM_NAMES or name.startswith('._')


def count_by_reason(ignored: Iterable[IgnoredFile]) -> dict[str, int]:
    """Number of ignored files by reason, the most frequent first."""
    return dict(Counter(file.reason for file in ignored).most_common())


def ignored_text(counts: Mapping[str, int]) -> str:
    """Say how many files were ignored and why; '' if none was."""
    total = sum(counts.values())
    listed = ', '.join(f'{count} {reason}' for reason, count in counts.items())
    return f'{total} file{"s" * (total != 1)} ignored: {listed}' if total else ''
