"""Guess which name was meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``; None if none is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)), None)


def hint(name: str, known: Iterable[str]) -> str:
    """Return ``, did you mean 'NAME'?`` for the nearest known name; empty if none is close."""
    near = nearest(name, known)
    return f', did you mean {near!r}?' if near else ''
