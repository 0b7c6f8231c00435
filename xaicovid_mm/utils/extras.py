"""Packages that not every user needs: the extras of ``setup.py``."""

import importlib

from .errors import DataError


class MissingExtraError(DataError):
    """A package of an extra is not installed."""


def need_extra(package: str, extra: str, what: str) -> None:
    """Refuse what needs a package that is not installed.

    Args:
        package: Name under which it is imported.
        extra: The extra that installs it.
        what: What needs it, as the user asked for it: an option, or a class of the config.

    Raises:
        MissingExtraError: With the line that installs it.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f'{what} needs the package {package}, which is not installed ({error})',
            f"pip install '.[{extra}]' in a clone, or pip install 'xaicovid_mm[{extra}]'",
        ) from error
