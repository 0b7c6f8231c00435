"""Print to the terminal. Names of files are printed as they are: they never act on it."""

from typing import Any

from rich.console import Console as RichConsole
from rich.text import Text

from .printable import printable


class Console(RichConsole):
    """rich's console without markup, emoji codes and colours of its own choice.

    So ``[lung]`` in a name is printed, and a control character is shown as its code. Styles are
    given by ``style``.

    Args:
        **options: As in rich.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{'markup': False, 'emoji': False, 'highlight': False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string, as every string that is printed, also in tables."""
        return super().render_str(printable(text), **options)
