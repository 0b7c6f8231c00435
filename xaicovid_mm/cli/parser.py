"""A parser whose help shows a command in the form in which it was called.

Modules of commands import torch and what needs it inside their functions, so that help and errors
of usage come at once.
"""

import argparse
import math
import re
from typing import Any

from ..utils.errors import show_trace
from .console import COMMANDS

PROGRAMS = ('python -m xaicovid_mm', 'xaicovid')
NAME_OF = {module: name for name, (module, _) in COMMANDS.items()}


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description, and says the default of each option that has one."""

    def _format_action(self, action: argparse.Action) -> str:
        action.help = action.help or ('' if self._is_unsaid(action) else 'default: %(default)s')
        return super()._format_action(action)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ''
        if 'default' in text or self._is_unsaid(action):
            return text
        return f'{text}; default: %(default)s'

    @staticmethod
    def _is_unsaid(action: argparse.Action) -> bool:
        """Whether an action has no default that is worth saying."""
        default = action.default
        none = default is None or default is False or default in (argparse.SUPPRESS, [], '')
        return none or not action.option_strings


class CommandParser(argparse.ArgumentParser):
    """Reads the arguments of a command; keeps the lines of its description.

    Descriptions name the commands as ``tools/train.py``. Called as ``xaicovid train``, the help
    says ``xaicovid train`` instead, in examples and options as well.

    Args:
        description: Text of the help, most often the docstring of the module.
        prog: How the command was called: ``tools/train.py``, ``xaicovid train``.
    """

    def __init__(
        self, description: str | None = None, prog: str | None = None, **options: Any
    ) -> None:
        options.setdefault('formatter_class', HelpFormatter)
        super().__init__(prog, description=description, **options)
        self.add_argument(
            '--debug',
            action='store_true',
            default=argparse.SUPPRESS,  # one of a sub-command must not undo that of the command
            help='show the traceback of an error',
        )

    def parse_args(self, *args: Any, **options: Any) -> argparse.Namespace:  # type: ignore[override]
        """Read the arguments; ``--debug`` takes effect at once and is not among them."""
        parsed = super().parse_args(*args, **options)
        show_trace(vars(parsed).pop('debug', False))
        return parsed

    def format_help(self) -> str:
        """Return the help, with the names that the user knows."""
        return _as_called(super().format_help(), self.prog)


def at_least_1(text: str) -> int:
    """Read a whole number of 1 or more, for the ``type`` of an option.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    return _whole(text, 1)


def at_least_0(text: str) -> int:
    """Read a whole number of 0 or more, as ``at_least_1`` does."""
    return _whole(text, 0)


def label_value(text: str) -> int:
    """Read a value of a label map that counts, as ``at_least_1`` does: 0 is the background."""
    if not re.fullmatch('-?[0-9]+', text) or (number := int(text)) == 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number other than 0')
    return number


def finite(text: str) -> float:
    """Read a number that is neither nan nor infinite, as ``at_least_1`` does."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f'{text!r} is no finite number')
    return number


def above_0(text: str) -> float:
    """Read a finite number above 0, as ``at_least_1`` does."""
    number = finite(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f'{text!r} is not above 0')
    return number


def share(text: str) -> float:
    """Read a number from 0 to 1, as ``at_least_1`` does."""
    number = finite(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no number from 0 to 1')
    return number


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or (number := int(text)) < least:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number of {least} or more')
    return number


def _as_called(text: str, prog: str) -> str:
    """Write the names of commands in ``text`` as in ``prog``."""
    program = next((name for name in PROGRAMS if prog.startswith(f'{name} ')), None)
    if program is None:
        return text
    tool = rf'(?:python )?tools/({"|".join(NAME_OF)})\.py'
    return re.sub(tool, lambda found: f'{program} {NAME_OF[found[1]]}', text)
