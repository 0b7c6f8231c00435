"""Output and options that several sub-commands share."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..parser import at_least_1, label_value

if TYPE_CHECKING:
    from rich.table import Table


MASKS = ('infection', 'lung', 'cause')
"""As in ``data_prep.load_case``, whose import would slow the help down."""
Commands: TypeAlias = 'argparse._SubParsersAction[argparse.ArgumentParser]'


def bar(text: str) -> Callable[[Sequence], Iterable]:
    """Make a function that shows a progress bar while a list is gone through."""
    from rich.progress import track

    return lambda items: track(items, text, len(items))


def show_store(root: Path, split: str | None = None) -> None:
    """Print the tables of a store, see ``store_tables``, and its warnings."""
    from ...data_prep.store.reader import SliceStore
    from ...data_prep.summary import store_tables

    show(*store_tables(SliceStore(root), split))


def show(tables: 'Iterable[Table]', warnings: Iterable[str]) -> None:
    """Print tables, then warnings, to the standard output."""
    from ...utils.terminal import Console

    console = Console()
    for table in tables:
        console.print(table)
    for warning in warnings:
        console.print(f'warning: {warning}', style='yellow')


def add_workers(parser: argparse.ArgumentParser, default: int = 1) -> None:
    """Add the option ``--workers``."""
    parser.add_argument('--workers', type=at_least_1, default=default, help='number of processes')


def add_size(parser: argparse.ArgumentParser, default: int = 224) -> None:
    """Add the option ``--size``."""
    parser.add_argument('--size', type=at_least_1, default=default, help='H = W of the slices')


def add_mask_values(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what counts in a mask that is a label map."""
    for column in MASKS:
        parser.add_argument(
            f'--{column}-values',
            type=label_value,
            nargs='+',
            metavar='N',
            help=f'values that count in {column} masks that are label maps',
        )


def mask_values(args: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """What the options of ``add_mask_values`` give, by column."""
    given = {column: getattr(args, f'{column}_values') for column in MASKS}
    return {column: tuple(values) for column, values in given.items() if values}


def add_intensity(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--intensity``."""
    parser.add_argument(
        '--intensity',
        choices=['hu', 'display'],
        default='hu',
        help='display: scans that are 8-bit windowed already',
    )
