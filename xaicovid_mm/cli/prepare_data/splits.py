"""The sub-commands ``split``, which gives patients their roles, and ``info``, on a store."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...data_prep.splits.assign import random_split, write_split
from ...data_prep.splits.assignment_file import read_assignment
from ...data_prep.splits.near_duplicates import fingerprints
from ...data_prep.splits.record import check_split
from ...data_prep.store.reader import SliceStore
from ...evaluation.site_audit import site_audit
from ...utils.errors import StoreError
from .common import Commands, bar, show, show_store


def add_to(commands: Commands) -> None:
    """Add the sub-commands of this module."""
    _add_split(commands)
    _add_info(commands)


def _add_split(commands: Commands) -> None:
    split = commands.add_parser('split', help='give patients their roles')
    split.add_argument('store', type=Path)
    split.add_argument('--name', default='default')
    split.add_argument('--seed', type=int, default=0)
    split.add_argument('--test', type=float, default=0.25, help='share of patients')
    way = split.add_mutually_exclusive_group()
    way.add_argument('--file', type=Path, help='JSON: role to list of patients; else at random')
    way.add_argument('--val', type=float, default=0.15, help='share of patients')
    way.add_argument(
        '--folds',
        type=_folds,
        metavar='K',
        help='splits NAME_0 to NAME_{K-1}: the same test set, val moves through the rest',
    )
    way.add_argument('--recheck', action='store_true', help='look for leaks in a split that exists')
    split.add_argument('--allow-leaks', action='store_true', help='leaks are no error')
    part = split.add_mutually_exclusive_group()
    part.add_argument('--labelled-per-class', type=int, default=5, help='patients')
    part.add_argument('--labelled-fraction', type=float, help='share of training patients')
    split.add_argument(
        '--labelled-slices',
        type=int,
        metavar='N',
        help='as in Table II: label N slices of each of NP and CAP, drawn from all training cases',
    )
    split.set_defaults(run=_split)


def _folds(text: str) -> int:
    if (folds := int(text)) < 2:
        raise argparse.ArgumentTypeError(f'{folds} folds: cross-validation needs 2 or more')
    return folds


def _split(args: argparse.Namespace) -> None:
    store = SliceStore(args.store)
    if args.recheck:
        names = [args.name]
    elif args.file:
        names = [args.name]
        how = dict(file=args.file.name)
        _write(store, args.name, read_assignment(args.file), how, args)
    else:
        names = _draw(store, args)
    check_splits(store, names, args.allow_leaks)


def _draw(store: SliceStore, args: argparse.Namespace) -> list[str]:
    how = dict(
        seed=args.seed,
        test=args.test,
        val=args.val,
        labelled_per_class=args.labelled_per_class,
        labelled_fraction=args.labelled_fraction,
    )
    if not args.folds:
        _write(store, args.name, random_split(store, **how), how, args)
        return [args.name]
    names = [f'{args.name}_{k}' for k in range(args.folds)]
    for k, name in enumerate(names):
        fold = (k, args.folds)
        patients = random_split(store, **how, fold=fold)
        _write(store, name, patients, {**how, 'val': None, 'fold': fold}, args)
    return names


def _write(
    store: SliceStore, name: str, patients: dict, how: dict, args: argparse.Namespace
) -> None:
    write_split(
        store,
        name,
        patients,
        parameters=how,
        labelled_slices=args.labelled_slices,
        seed=args.seed,
    )


def check_splits(store: SliceStore, names: Sequence[str], allow_leaks: bool) -> None:
    """Look for leaks in splits, record them, and print the tables of each split.

    Raises:
        StoreError: If a split leaks and ``allow_leaks`` is False.
    """
    slice_prints = fingerprints(store, bar('looking for leaks'))
    leaking = [name for name in names if check_split(store, name, slice_prints)]
    for name in names:
        show_store(store.root, name)
    if leaking and not allow_leaks:
        raise StoreError(
            f'split {", ".join(leaking)} of {store.root} leaks and will not be trained on',
            'give these patients one role with --file, or take it as it is with --allow-leaks',
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
        table, warnings = site_audit(SliceStore(args.store), args.split, bar('reading'))
        show([table], warnings)
