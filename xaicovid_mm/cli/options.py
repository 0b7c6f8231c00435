"""Options that several commands have: ``--cfg-options KEY.KEY=VALUE ...`` and ``--device``."""

import argparse
import os
import re
from typing import Any

VISIBLE = 'CUDA_VISIBLE_DEVICES'
DICT = re.compile(r"""(^|[\[(,])['"\s]*(\{|dict\()""")
"""A dict, or one in a list, which mmengine would read as text."""


class OptionAction(argparse.Action):
    """Collects ``KEY=VALUE`` pairs; a pair that cannot be read is an error of usage."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to ``namespace``, as mmengine parses them."""
        from mmengine import DictAction  # slow to import, and the help needs none

        parse = DictAction(self.option_strings, self.dest, self.nargs)
        for pair in values or ():
            key, equals, value = pair.partition('=')
            if not equals or not all(key.split('.')):
                raise argparse.ArgumentError(self, f'{pair!r} is not KEY.KEY=VALUE')
            if DICT.search(value):
                remedy = f'set its keys one by one, as in {key}.KEY=VALUE'
                raise argparse.ArgumentError(self, f'{pair!r} gives a dict: {remedy}')
            try:
                parse(parser, namespace, [pair], option_string)
            except Exception as error:  # asserts, and whatever brackets make it stumble over
                raise argparse.ArgumentError(self, f'{pair!r}: {error}') from error


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the option to a parser."""
    help_text = 'KEY.KEY=VALUE ...: set in the config'
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help=help_text)


def add_role(parser: argparse.ArgumentParser, default: str = 'test') -> None:
    """Add --role: the patients whose slices are drawn."""
    parser.add_argument(
        '--role',
        choices=['test', 'val'],
        default=default,
        help='role of the patients; default: %(default)s',
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option to a parser."""
    help_text = 'cpu, cuda or cuda:N; default: a GPU if there is one'
    parser.add_argument('--device', type=_device, help=help_text)


def use_device(name: str | None) -> None:
    """Let torch see that device alone, in this process and those that it starts.

    Call it before mmengine is imported, which looks for GPUs once.

    Args:
        name: 'cpu', 'cuda' (all GPUs) or 'cuda:N'; None changes nothing.

    Raises:
        ValueError: If there is no such GPU.
    """
    if name is None:
        return
    number = name.partition(':')[2]
    if name == 'cpu':
        os.environ[VISIBLE] = ''
    elif number:
        seen = [one for one in os.environ.get(VISIBLE, '').split(',') if one]
        os.environ[VISIBLE] = seen[int(number)] if int(number) < len(seen) else number
    if name != 'cpu':
        import torch  # slow to import, and the help needs none

        if not torch.cuda.is_available():
            raise ValueError(f'--device {name}: torch finds no such GPU: give cpu, or leave it out')


def _device(text: str) -> str:
    if not re.fullmatch(r'cpu|cuda(:[0-9]{1,3})?', text):
        raise argparse.ArgumentTypeError(f'{text!r} is none of cpu, cuda and cuda:N')
    return text
