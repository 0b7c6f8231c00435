"""Guess which name was meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """Return the known name that is most like ``name``; None if none is as like as ``cutoff``.

    One that differs in the case of letters alone is the nearest.
    """
    names = list(known)
    if same := [other for other in names if other.casefold() == name.casefold()]:
        return same[0]
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=cutoff)), None)


def hint(name: str, known: Iterable[str]) -> str:
    """Return ``, did you mean 'NAME'?`` for the nearest known name; empty if none is close."""
    near = nearest(name, known)
    return f', did you mean {near!r}?' if near else ''
