"""Read the roles of patients from a file."""

import json
from pathlib import Path
from typing import Any

from ...utils.errors import StoreError
from ..identifiers import identifier
from ..store.schema import ROLES

EXPECTED = (
    'give a JSON object of role to list of patients, such as {"labelled": ["p1", "p2"], '
    '"unlabelled": ["p3"], "val": ["p4"], "test": ["p5"]}'
)


def read_assignment(path: str | Path) -> dict[str, list[str]]:
    """Read the patients of each role from a JSON file, or from the record of a split.

    Raises:
        StoreError: If it is neither. The message says what it is, for instance a split of nnU-Net.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f'{path} does not exist', EXPECTED)
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise StoreError(f'{path} is no JSON ({error})', EXPECTED) from error
    if isinstance(content, dict) and 'parameters' in content:
        content = content.get('patients')
    if not (isinstance(content, dict) and all(_is_group(group) for group in content.values())):
        raise StoreError(f'{path} is {_kind(content)}', EXPECTED)
    if unknown := sorted(set(content) - set(ROLES[1:])):
        raise StoreError(f'{path} has the roles {unknown}, there are {ROLES[1:]}', EXPECTED)
    return {role: [identifier(str(name)) for name in group] for role, group in content.items()}


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
