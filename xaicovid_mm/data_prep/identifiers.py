"""Names of patients, cases and sites: one spelling each, and those that look alike."""

import re
import unicodedata
from collections.abc import Iterable

LOOK_ALIKE = str.maketrans('авекмнорстухіѕјԛԝӏıαβεζηικμνορτυχ', 'abekmhopctyxisjqwiiabezhikmnoptyx')
"""Small Cyrillic and Greek letters whose capitals look Latin, and the Latin ones."""
FILLERS = '\u115f\u1160'
"""Letters of Hangul that show nothing."""


def identifier(text: str) -> str:
    """One spelling of a name: Unicode NFKC, no invisible characters, single blanks inside."""
    text = unicodedata.normalize('NFKC', text)
    # Of category Cf are zero width and the like; of Cc are control characters, but also tabs.
    visible = (
        c
        for c in text
        if c.isspace() or not (c in FILLERS or unicodedata.category(c) in ('Cc', 'Cf'))
    )
    return ' '.join(''.join(visible).split())


def near_key(name: str) -> str:
    """What is left of a name without letter case, leading zeros, blanks, dashes and the like.

    A separator between two digits stays, so that 1-2 is not 12. The 3.0 that spreadsheets make of 3
    is 3. Greek and Cyrillic letters count as the Latin ones that they look like, digits of other
    scripts as 0 to 9, and letters with accents as those without.
    """
    text = identifier(name).casefold().translate(LOOK_ALIKE)
    text = ''.join(
        str(unicodedata.decimal(c, c))
        for c in unicodedata.normalize('NFKD', text)
        if not unicodedata.combining(c)
    )
    text = re.sub(r'^(0*\d+)[.,]0+$', r'\1', text)
    text = re.sub(r'(?<=\d)[\W_]+(?=\d)', ' ', text)
    text = re.sub(r'(?<!\d)[\W_]+|[\W_]+(?!\d)', '', text)
    return re.sub(r'(?<!\d)0+(?=\d)', '', text) or name


def near_equal(names: Iterable[str]) -> list[list[str]]:
    """Find groups of different names that are near-equal, see ``near_key``; each group sorted.

    A blank between two digits may be a separator or nothing, so both are tried.
    """
    groups: dict[str, set[str]] = {}
    for name in names:
        joined = re.sub(r'(?<=\d) (?=\d)', '', identifier(name))
        for key in {near_key(name), near_key(joined)}:
            groups.setdefault(key, set()).add(name)
    found = {tuple(sorted(group)) for group in groups.values() if len(group) > 1}
    return sorted(map(list, found))
