"""The command ``xaicovid``: one name for all commands."""

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..utils.nearest import nearest

COMMANDS = {
    'prepare': ('prepare_data', 'make slice stores from scans or images, check and split them'),
    'train': ('train', 'train a model from a config'),
    'test': ('test', 'test a checkpoint: tables with intervals, and pictures'),
    'publish': ('publish_model', 'make a folder of a trained model that can be shared'),
    'infer': ('infer', 'report on scans: diagnosis, infection mask, maps and a page'),
    'reproduce': ('reproduce', 'train, test and table the systems of the paper'),
}
"""Name of a command to its module here (and in ``tools/``), and what it does."""


def main(argv: Sequence[str] | None = None, prog: str = 'xaicovid') -> None:
    """Run the command that ``argv`` begins with. Only its own module is imported.

    Args:
        argv: Arguments; default: those of the process.
        prog: How this was called, for the help of the commands.

    Raises:
        SystemExit: With code 2, if there is no such command.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        sys.stderr.write(_help(prog))
        raise SystemExit(2)
    name, *rest = arguments
    if name in ('-h', '--help'):
        sys.stdout.write(_help(prog))
    elif name == '--version':
        sys.stdout.write(f'xaicovid_mm {__version__}\n')
    elif name in COMMANDS:
        module = importlib.import_module(f'.{COMMANDS[name][0]}', __package__)
        module.main(rest, prog=f'{prog} {name}')
    else:
        _refuse(name, prog)


def _refuse(name: str, prog: str) -> NoReturn:
    near = nearest(name, COMMANDS, cutoff=0.6)
    hint = f'did you mean {near!r}?' if near else f'there are {", ".join(COMMANDS)}'
    sys.stderr.write(f'error: {prog} has no command {name!r}: {hint}\n')
    raise SystemExit(2)


def _help(prog: str) -> str:
    lines = [f'  {name:<11}{what}' for name, (_, what) in COMMANDS.items()]
    return '\n'.join(
        [
            f'usage: {prog} COMMAND [options]',
            f'       {prog} --version',
            '',
            *lines,
            '',
            f'{prog} COMMAND --help shows the options of a command.',
            '',
        ]
    )
