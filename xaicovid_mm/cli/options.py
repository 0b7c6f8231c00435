"""The option ``--cfg-options KEY.KEY=VALUE ...`` of the commands that read a config."""

import argparse
from typing import Any


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
            key, equals, _ = pair.partition('=')
            if not equals or not all(key.split('.')):
                raise argparse.ArgumentError(self, f'{pair!r} is not KEY.KEY=VALUE')
            try:
                parse(parser, namespace, [pair], option_string)
            except Exception as error:  # asserts, and whatever brackets make it stumble over
                raise argparse.ArgumentError(self, f'{pair!r}: {error}') from error


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the option to a parser."""
    help_text = 'KEY.KEY=VALUE ...: set in the config'
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help=help_text)
