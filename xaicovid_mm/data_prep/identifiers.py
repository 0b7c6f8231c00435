"""Names of patients, cases and sites: one spelling each, and those that look alike."""

import re
import unicodedata
from collections.abc import Iterable


def identifier(text: str) -> str:
    """One spelling of a name: Unicode NFKC, no invisible characters, single blanks inside."""
    text = unicodedata.normalize('NFKC', text)
    visible = (c for c in text if unicodedata.category(c) != 'Cf')  # zero width and the like
    return ' '.join(''.join(visible).split())


def near_key(name: str) -> str:
    """What is left of a name without letter case, leading zeros, blanks, dashes and the like.

    A separator between two digits stays, so that 1-2 is not 12.
    """
    text = re.sub(r'(?<=\d)[\W_]+(?=\d)', ' ', identifier(name).casefold())
    text = re.sub(r'(?<!\d)[\W_]+|[\W_]+(?!\d)', '', text)
    return re.sub(r'(?<!\d)0+(?=\d)', '', text) or name


def near_equal(names: Iterable[str]) -> list[list[str]]:
    """Find groups of different names that are near-equal, see ``near_key``; each group sorted."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(near_key(name), set()).add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
