"""The sub-commands ``split``, which gives patients their roles, and ``info``, on a store."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.errors import StoreError
from ..parser import at_least_0, at_least_1, share
from .common import Commands, bar, show, show_store

if TYPE_CHECKING:
    from ...data_prep.store.reader import SliceStore


def add_to(commands: Commands) -> None:
    """Add the sub-commands of this module."""
    _add_split(commands)
    _add_info(commands)


def _add_split(commands: Commands) -> None:
    split = commands.add_parser('split', help='give patients their roles')
    split.add_argument('store', type=Path)
    split.add_argument('--name', default='default')
    split.add_argument('--seed', type=at_least_0, default=0)
    split.add_argument('--test', type=share, default=0.25, help='share of patients')
    way = split.add_mutually_exclusive_group()
    way.add_argument('--file', type=Path, help='JSON (role: patients) or table (patient, role)')
    way.add_argument('--val', type=share, default=0.15, help='share of patients')
    way.add_argument(
        '--folds',
        type=_folds,
        metavar='K',
        help='splits NAME_0 to NAME_{K-1}: the same test set, val moves through the rest',
    )
    way.add_argument('--recheck', action='store_true', help='look for leaks in a split that exists')
    split.add_argument('--allow-leaks', action='store_true', help='leaks are no error')
    add_force(split)
    part = split.add_mutually_exclusive_group()
    part.add_argument('--labelled-per-class', type=at_least_0, default=5, help='patients')
    part.add_argument('--labelled-fraction', type=share, help='share of training patients')
    split.add_argument(
        '--labelled-slices',
        type=at_least_1,
        metavar='N',
        help='as in Table II: label N slices of each of NP and CAP, drawn from all training cases',
    )
    split.set_defaults(run=_split)


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--force``."""
    parser.add_argument('--force', action='store_true', help='replace a split of that name')


def refuse_replacement(store: 'SliceStore', names: Sequence[str], force: bool) -> None:
    """Refuse to replace splits: models that were trained on them would be tested on anybody.

    Raises:
        StoreError: If a split of one of the names exists and ``force`` is False.
    """
    splits = store.root / 'splits'
    there = [name for name in names if (splits / f'{name}.npy').exists()]
    if there and not force:
        raise StoreError(
            f'{store.root} has the split {", ".join(there)} already; made again, patients of '
            'training can become patients of the test',
            'give another --name, replace it with --force, or check it with --recheck',
        )


def _folds(text: str) -> int:
    if (folds := at_least_1(text)) < 2:
        raise argparse.ArgumentTypeError(f'{folds} folds: cross-validation needs 2 or more')
    return folds


def _split(args: argparse.Namespace) -> None:
    from ...data_prep.splits.assignment_file import read_assignment
    from ...data_prep.store.reader import SliceStore

    store = SliceStore(args.store)
    if args.recheck:
        names = [args.name]
    elif args.file:
        names = [args.name]
        refuse_replacement(store, names, args.force)
        how = dict(file=args.file.name)
        _write(store, args.name, read_assignment(args.file), how, args)
    else:
        names = _draw(store, args)
    check_splits(store, names, args.allow_leaks)


def _draw(store: 'SliceStore', args: argparse.Namespace) -> list[str]:
    from ...data_prep.splits.assign import random_split

    how = dict(
        seed=args.seed,
        test=args.test,
        val=args.val,
        labelled_per_class=args.labelled_per_class,
        labelled_fraction=args.labelled_fraction,
    )
    names = [f'{args.name}_{k}' for k in range(args.folds)] if args.folds else [args.name]
    refuse_replacement(store, names, args.force)
    if not args.folds:
        _write(store, args.name, random_split(store, **how), how, args)
        return names
    for k, name in enumerate(names):
        fold = (k, args.folds)
        patients = random_split(store, **how, fold=fold)
        _write(store, name, patients, {**how, 'val': None, 'fold': fold}, args)
    return names


def _write(
    store: 'SliceStore', name: str, patients: dict, how: dict, args: argparse.Namespace
) -> None:
    from ...data_prep.splits.assign import write_split

    write_split(
        store,
        name,
        patients,
        parameters=how,
        labelled_slices=args.labelled_slices,
        seed=args.seed,
    )


def check_splits(store: 'SliceStore', names: Sequence[str], allow_leaks: bool) -> None:
    """Look for leaks in splits, record them, and print the tables of each split.

    Raises:
        StoreError: If a split leaks and ``allow_leaks`` is False.
    """
    from ...data_prep.splits.near_duplicates import fingerprints
    from ...data_prep.splits.record import check_split

    slice_prints = fingerprints(store, bar('looking for leaks'))
    leaking = [name for name in names if check_split(store, name, slice_prints)]
    for name in names:
        show_store(store.root, name)
    if leaking and not allow_leaks:
        raise StoreError(
            f'split {", ".join(leaking)} of {store.root} leaks and will not be trained on',
            'give these patients one role with --file FILE --force, or take it as it is with '
            '--recheck --allow-leaks',
        )


def _add_info(commands: Commands) -> None:
    info = commands.add_parser('info', help='what a store holds')
    info.add_argument('store', type=Path)
    info.add_argument('--split', help='count its roles')
    info.add_argument(
        '--site-audit',
        action='store_true',
        help='can site and class be told without the lungs; with --split, test patients stay out',
    )
    info.set_defaults(run=_info)


def _info(args: argparse.Namespace) -> None:
    show_store(args.store, args.split)
    if args.site_audit:
        from ...data_prep.store.reader import SliceStore
        from ...evaluation.site_audit import site_audit

        table, warnings = site_audit(SliceStore(args.store), args.split, bar('reading'))
        show([table], warnings)
