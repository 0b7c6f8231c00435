"""Read the rows of a table file: CSV of any usual encoding and delimiter, or an Excel workbook."""

import codecs
import csv
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from ..utils.errors import TableError
from .identifiers import identifier

DELIMITERS = (',', ';', '\t', '|')
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: 'utf-8-sig',
    codecs.BOM_UTF32_LE: 'utf-32',  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: 'utf-32',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
}
ENCODINGS = ('utf-8', 'cp1252')
"""Tried in this order without a mark."""
SAVE_AS = 'save it as CSV in UTF-8'
NOT_LATIN = re.compile(rb'[\x80-\xff]{3}')
"""Western words hardly have three letters in a row that are not plain."""
EXAMPLES = 5
"""Letters of a guessed encoding that the log shows."""
BEFORE_HEADER = re.compile(r'([ \t;,|]*(#[^\r\n]*)?(\r\n|\r|\n))*')
"""Blank lines and comments."""
SEPARATOR = re.compile(r'"?sep=([^\r\n])"?[ \t;,|]*(\r\n|\r|\n)', re.IGNORECASE)
"""A line by which Excel is told the delimiter."""
MAX_EXACT = 1e15
"""From here on a number of Excel has lost digits."""
Line = tuple[int, list[str]]
"""Number of a line in the file, from 1, and its cells."""

_logger = logging.getLogger(__name__)


def table_lines(path: Path, columns: Sequence[str]) -> list[Line]:
    """Read the lines of a table, the header first; lines without any content are left out.

    An encoding other than UTF-8, a delimiter other than the comma, and the sheet of a workbook are
    said in the log.

    Args:
        path: CSV, or an Excel workbook (.xlsx), whose first sheet is read.
        columns: Those that are wanted; the delimiter is the one that shows most of them.

    Raises:
        TableError: If the file cannot be read, naming it, what it is and the remedy.
    """
    content = path.read_bytes()
    if content.startswith(b'PK'):
        lines = _workbook_lines(path, content)
    elif content.startswith(b'\xd0\xcf\x11\xe0'):
        raise TableError(f'{path} is an old Excel workbook (.xls)', f'{SAVE_AS}, or as .xlsx')
    else:
        lines = _csv_lines(path, _decoded(path, content), columns)
    return [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]


def _decoded(path: Path, content: bytes) -> str:
    marked = next((e for mark, e in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    # Without a mark, UTF-16 shows in the zeros beside the plain letters of the header.
    wide = {1: 'utf-16-le', 0: 'utf-16-be'}
    unmarked = next((e for odd, e in wide.items() if content[odd:64:2].count(0) > 8), None)
    known = marked or unmarked
    for encoding in [known] if known else ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == 'cp1252':
            _refuse_other_code_pages(path, content)
        if encoding not in ('utf-8', 'utf-8-sig'):
            _logger.warning('%s is read as %s%s', path, encoding, _example(text))
        return text
    raise TableError(f'{path} is no text: neither UTF-8, UTF-16 nor Windows-1252', SAVE_AS)


def _refuse_other_code_pages(path: Path, content: bytes) -> None:
    """Refuse text that Windows-1252 would read, and read wrong.

    Raises:
        TableError: For UTF-8 with a bad byte, and for words of a script that is not Latin.
    """
    for number, line in enumerate(content.splitlines(), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            if len(line.decode(errors='ignore').encode()) > len(line.decode('ascii', 'ignore')):
                raise TableError(
                    f'{path}, line {number}: the byte {line[error.start]:#x} is no UTF-8, and the '
                    'rest of the line is',
                    SAVE_AS,
                ) from error
        if NOT_LATIN.search(line):
            raise TableError(
                f'{path}, line {number}: several letters in a row are in none of UTF-8, UTF-16 and '
                'Latin Windows-1252: the table is in another code page',
                SAVE_AS,
            )


def _example(text: str) -> str:
    """Letters that show whether an encoding was guessed right, and no names."""
    letters = list(dict.fromkeys(re.findall(r'[^\W\x00-\x7f]', text)))[:EXAMPLES]
    return f': are the letters {" ".join(letters)} right? If not, {SAVE_AS}' if letters else ''


def _csv_lines(path: Path, text: str, columns: Sequence[str]) -> Iterator[Line]:
    before_header = BEFORE_HEADER.match(text)
    assert before_header is not None  # it matches nothing as well
    named = SEPARATOR.match(text, before_header.end())
    start = (named or before_header).end()
    header = re.split(r'[\r\n]', text[start:], maxsplit=1)[0]
    delimiter = named[1] if named else max(DELIMITERS, key=lambda d: _wanted(header, d, columns))
    if delimiter != ('\t' if path.suffix.lower() == '.tsv' else ','):
        _logger.warning('%s is read with the delimiter %r', path, delimiter)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    rest = StringIO(text[start:], newline='')
    reader = csv.reader(rest, delimiter=delimiter, strict=True, skipinitialspace=True)
    skipped = before = len(text[:start].splitlines())
    try:
        for cells in reader:
            yield before + 1, cells
            before = skipped + reader.line_num
    except csv.Error as error:
        raise TableError(
            f'{path}, line {before + 1}: {error}', 'close each double quote, or leave them out'
        ) from error


def _wanted(header: str, delimiter: str, columns: Iterable[str]) -> int:
    cells = {identifier(cell.strip('"\r ')).casefold() for cell in header.split(delimiter)}
    return len(cells & set(columns))


def _workbook_lines(path: Path, content: bytes) -> Iterator[Line]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise TableError(
            f'{path} is an Excel workbook, which needs openpyxl',
            f"pip install '.[excel]' in a clone, or pip install openpyxl, or {SAVE_AS}",
        ) from error
    try:
        sheet, formulas = (
            load_workbook(BytesIO(content), read_only=True, data_only=values).worksheets[0]
            for values in (True, False)
        )
        rows = [*sheet.iter_rows(values_only=True)]
        written = [*formulas.iter_rows(values_only=True)]
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        ParseError,
        KeyError,
        ValueError,
        IndexError,
    ) as error:
        raise TableError(
            f'{path} cannot be read as an Excel workbook ({error})', SAVE_AS
        ) from error
    _logger.warning('%s: its first sheet is read, %r', path, sheet.title)
    for number, (cells, texts) in enumerate(zip(rows, written, strict=True), start=1):
        for cell, text in zip(cells, texts, strict=True):
            if cell is None and text is not None:
                raise TableError(
                    f'{path}, line {number}: a formula has no value in the file',
                    'open it in Excel and save it, or enter the value',
                )
            if isinstance(cell, float) and abs(cell) >= MAX_EXACT:
                raise TableError(
                    f'{path}, line {number}: of the number {cell:g} Excel keeps 15 digits, the '
                    'others are lost',
                    'format the column as text and enter its names again',
                )
        yield number, [_cell_text(cell) for cell in cells]


def _cell_text(cell: Any) -> str:
    """A cell as text; a number of a patient comes as a float from some programs."""
    if cell is None:
        return ''
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
