"""The sub-command ``folds``: splits in which patients rotate through all roles but test."""

import argparse
from pathlib import Path

from ..parser import at_least_0, at_least_1
from .common import Commands
from .splits import add_force, check_splits, refuse_replacement


def add_to(commands: Commands) -> None:
    """Add the sub-command of this module."""
    folds = commands.add_parser('folds', help='splits for few patients: all roles rotate, no test')
    folds.add_argument('store', type=Path)
    folds.add_argument('--folds', type=at_least_1, default=5, metavar='K')
    folds.add_argument('--name', default='fold', help='the splits are NAME0 to NAME{K-1}')
    folds.add_argument('--seed', type=at_least_0, default=0)
    add_force(folds)
    folds.add_argument('--allow-leaks', action='store_true', help='leaks are no error')
    folds.set_defaults(run=_write)


def _write(args: argparse.Namespace) -> None:
    from ...data_prep.splits.assign import write_split
    from ...data_prep.splits.folds import rotating_folds
    from ...data_prep.store.reader import SliceStore

    store = SliceStore(args.store)
    names = [f'{args.name}{number}' for number in range(args.folds)]
    refuse_replacement(store, names, args.force)
    for number, patients in enumerate(rotating_folds(store, args.folds, args.seed)):
        how = dict(fold=(number, args.folds), seed=args.seed, rotating=True)
        write_split(store, names[number], patients, parameters=how)
    check_splits(store, names, args.allow_leaks)
