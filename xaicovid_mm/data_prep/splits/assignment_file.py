"""Read the roles of patients from a file: JSON, or a table with a row per patient."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ...utils.errors import StoreError, TableError
from ...utils.nearest import hint
from ..identifiers import identifier
from ..store.schema import ROLES
from ..table_file import table_lines

EXPECTED = (
    'give a JSON object of role to list of patients, such as {"labelled": ["p1", "p2"], '
    '"unlabelled": ["p3"], "val": ["p4"], "test": ["p5"]}, or a table (CSV, .xlsx) with '
    'the columns patient and role'
)
COLUMNS = ('patient', 'role')
"""Columns of a table."""


def read_assignment(path: str | Path) -> dict[str, list[str]]:
    """Read the patients of each role from a JSON file, the record of a split, or a table.

    A table has a row per patient or per case, see ``table_lines`` for its forms. The letter case of
    its header and roles does not count. A patient without a role takes no part.

    Raises:
        StoreError: If it is none of these. The message says what it is, for instance a split of
            nnU-Net.
        TableError: If a table is wrong, naming the line and the column.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f'{path} does not exist', EXPECTED)
    if path.suffix.lower() in ('.csv', '.tsv', '.txt', '.xlsx', '.xls'):
        return _read_table(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise StoreError(f'{path} cannot be read as JSON ({error})', EXPECTED) from error
    if isinstance(content, dict) and 'parameters' in content:
        content = content.get('patients')
    if not (isinstance(content, dict) and all(_is_group(group) for group in content.values())):
        raise StoreError(f'{path} is {_kind(content)}', EXPECTED)
    if unknown := sorted(set(content) - set(ROLES[1:])):
        raise StoreError(f'{path} has the roles {unknown}, there are {ROLES[1:]}', EXPECTED)
    return {role: [identifier(str(name)) for name in group] for role, group in content.items()}


def _read_table(path: Path) -> dict[str, list[str]]:
    lines = table_lines(path, COLUMNS)
    header = [identifier(cell).casefold() for cell in lines[0][1]] if lines else []
    for column in COLUMNS:
        if header.count(column) != 1:
            raise TableError(f'{path} has {header.count(column)} columns {column!r}', EXPECTED)
    places = [header.index(column) for column in COLUMNS]
    given: dict[str, tuple[str, int]] = {}
    for line, cells in lines[1:]:
        patient, role = (identifier(cells[n]) if n < len(cells) else '' for n in places)
        role = role.casefold()
        if not patient:
            raise TableError(f'{path}, line {line}, column patient: empty', 'fill it in')
        if role and role not in ROLES[1:]:
            raise TableError(
                f'{path}, line {line}, column role: {role!r}{hint(role, ROLES[1:])}',
                f'give one of {ROLES[1:]}, or leave it empty',
            )
        before, first = given.setdefault(patient, (role, line))
        if before != role:
            raise TableError(
                f'{path}, line {line}, column role: patient {patient!r} is {role or "without role"}'
                f', in line {first} {before or "without role"}',
                'give each patient one role',
            )
    roles = sorted({role for role, _ in given.values() if role}, key=ROLES.index)
    return {role: [p for p, (its, _) in given.items() if its == role] for role in roles}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key that is given twice Python would keep the last alone."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f'it gives {twice} twice')
    return content


def _is_group(group: Any) -> bool:
    return isinstance(group, list) and all(isinstance(name, str | int) for name in group)


def _kind(content: Any) -> str:
    folds = content if isinstance(content, list) else []
    if folds and all(isinstance(fold, dict) and {'train', 'val'} <= fold.keys() for fold in folds):
        return (
            f'a list of {len(folds)} folds of train and val cases, as nnU-Net writes: it does not '
            'say which patients are labelled and which are for the test'
        )
    if isinstance(content, dict):
        wrong = next(role for role, group in content.items() if not _is_group(group))
        return f'an object whose {wrong!r} is no list of patients'
    return f'a JSON {type(content).__name__}'
