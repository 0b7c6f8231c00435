"""What of the log goes to the terminal."""

import logging
from collections.abc import Callable


def terminal_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:
    """Return what writes the log to the terminal."""
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]


def warnings_alone(logger: logging.Logger) -> Callable[[], None]:
    """Show warnings alone on the terminal; return what shows again what was shown before."""
    levels = {handler: handler.level for handler in terminal_handlers(logger)}
    for handler, level in levels.items():
        handler.setLevel(max(level, logging.WARNING))

    def restore() -> None:
        for handler, level in levels.items():
            handler.setLevel(level)

    return restore
