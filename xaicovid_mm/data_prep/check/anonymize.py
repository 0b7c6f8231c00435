"""Take what may name a patient out of the text of an error, before it gets into a shared file.

Names of files and text of headers may name a patient. Our readers put every text that they took
from a file, or that a library says of a file, in quotes. Here all quotes, paths and UIDs are taken
out. The full text is for the terminal of the user alone.
"""

import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ...utils.errors import DataError

_QUOTED_UID = re.compile(r"'\d+(\.\d+){3,} ?'")
_QUOTED = re.compile(
    r"""(?<!\w)(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|['"].*)""", re.DOTALL
)  # an apostrophe inside of a word opens nothing; a quote that nothing closes reaches to the end
_UID = re.compile(r'\d+(\.\d+){3,}')
_PATH = re.compile(r'(?<![\w.+])~?/[^\s:;,)]+')
GAP = '(...)'


def anonymous(text: str, paths: Mapping[str, Path]) -> str:
    """Take names of files, quoted text, paths and UIDs out of a message.

    A path is replaced by its word. A file inside of a folder or zip is replaced by its number in
    the order of names.

    Args:
        text: The message.
        paths: Paths that the message may hold, by the word that takes their place, for instance
            the column of the table.
    """
    names = {name: word for word, path in paths.items() for name, word in _names(word, path)}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    text = _QUOTED.sub(GAP, _QUOTED_UID.sub('UID', text))
    return _PATH.sub(GAP, _UID.sub('UID', text)).replace(f'({GAP})', GAP)


def anonymous_error(error: BaseException, paths: Mapping[str, Path]) -> str:
    """Tell an error in a text that may be shared.

    Only our own words are kept, see ``anonymous``. Of an error of the system its reason is told,
    of any other error its kind.
    """
    if isinstance(error, DataError):
        return anonymous(str(error), paths)
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return f'{type(error).__name__}, which the command explained when it ran'


def _names(word: str, path: Path) -> list[tuple[str, str]]:
    """The path and the files inside of it, as messages write them, each with its replacement."""
    inside = [(name, f'{word} (file {k})') for k, name in enumerate(_inside(path), start=1)]
    whole = {str(path), str(path.absolute()), os.path.realpath(path)}
    return [*inside, *((name, word) for name in whole)]


def _inside(path: Path) -> list[str]:
    """Names of the files in a folder or zip, as the readers write them in messages."""
    try:
        if path.is_dir():
            return sorted(str(file) for file in path.rglob('*'))
        with zipfile.ZipFile(path) as archive:
            return sorted(f'{path}: {name!r}' for name in archive.namelist())
    except (OSError, RuntimeError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return []
