"""The sub-commands ``phantom``, ``volumes`` and ``images``, which make a slice store."""

import argparse
from pathlib import Path

from ...utils.errors import StoreError
from ..parser import above_0, at_least_0, at_least_1, share
from ..paths import new_work_dir, output_folder
from .common import (
    Commands,
    add_intensity,
    add_mask_values,
    add_size,
    add_workers,
    bar,
    mask_values,
    show_store,
)
from .splits import check_splits

LESS_LUNG = 'slices with less lung, in pixels of the store, are left out'

FEWEST = 9
"""Phantom patients per class of which a split by default shares has 2 test, 1 val, 5 labelled."""


def add_to(commands: Commands) -> None:
    """Add the sub-commands of this module."""
    _add_phantom(commands)
    _add_volumes(commands)
    _add_images(commands)


def _add_phantom(commands: Commands) -> None:
    phantom = commands.add_parser('phantom', help='chest-CT phantoms, their store and split')
    phantom.add_argument('out', type=Path, help='gets volumes/, cases.csv and store/')
    phantom.add_argument('--patients-per-class', type=at_least_1, default=18)
    phantom.add_argument('--sites', type=at_least_1, default=3)
    phantom.add_argument('--seed', type=at_least_0, default=0)
    add_size(phantom, default=96)
    add_workers(phantom, default=2)
    phantom.set_defaults(run=_phantom)


def _phantom(args: argparse.Namespace) -> None:
    from rich.progress import track

    from ...data_prep.builders.volumes import prepare_volumes
    from ...data_prep.phantom import write_phantom
    from ...data_prep.slicing.slices import SliceSpec
    from ...data_prep.splits.assign import random_split, write_split
    from ...data_prep.store.reader import SliceStore

    if args.patients_per_class < FEWEST:
        raise ValueError(
            f'--patients-per-class {args.patients_per_class}: the split that is made of them needs '
            f'{FEWEST} or more'
        )
    root = output_folder(args.out, 'out') / 'store'
    _refuse_other_store(root, args.seed)
    table = write_phantom(
        args.out,
        patients_per_class=args.patients_per_class,
        sites=args.sites,
        seed=args.seed,
        workers=args.workers,
        progress=lambda rows, total: track(rows, 'scanning phantoms', total),
    )
    prepare_volumes(
        table,
        root,
        SliceSpec(args.size),
        kind='phantom',
        workers=args.workers,
        progress=bar('slicing'),
    )
    store = SliceStore(root)
    write_split(store, 'default', random_split(store, args.seed), parameters=dict(seed=args.seed))
    check_splits(store, ['default'], allow_leaks=False)


def _refuse_other_store(root: Path, seed: int) -> None:
    """Refuse to make a store again that holds something else than this phantom.

    Raises:
        StoreError: If it is there and was not made of phantoms, or has another split 'default'.
    """
    from ...data_prep.splits.record import read_record
    from ...data_prep.store.reader import SliceStore

    if not (root / 'manifest.json').exists():
        return
    store = SliceStore(root)
    if (kind := store.manifest['parameters'].get('kind')) != 'phantom':
        raise StoreError(f'{root} is a store of {kind}, not of phantoms', 'name another folder')
    made = read_record(store, 'default').get('parameters', dict(seed=seed))
    if made != dict(seed=seed):
        raise StoreError(
            f'{root} has a split default that was made by {made}; made again by {dict(seed=seed)}, '
            'patients of training can become patients of the test',
            'name another folder',
        )


def _has_cases(store: Path) -> bool:
    return any((store / 'cases').glob('[!.]*'))  # those with a dot are not complete


def _add_volumes(commands: Commands) -> None:
    volumes = commands.add_parser('volumes', help='NIfTI or DICOM volumes by a case table')
    volumes.add_argument(
        'table',
        type=Path,
        help='CSV: case,patient,image,infection,lung,label,site; or a folder of scans',
    )
    volumes.add_argument('store', type=Path)
    add_size(volumes)
    volumes.add_argument(
        '--spacing', type=above_0, nargs=3, metavar='MM', help='z y x; paper: 1 1 1'
    )
    volumes.add_argument('--crop-lung', type=share, metavar='MARGIN', help='crop to the lungs')
    add_intensity(volumes)
    volumes.add_argument('--min-lung-px', type=at_least_0, default=100, help=LESS_LUNG)
    volumes.add_argument('--min-slices', type=at_least_1, default=5, help='of a scan')
    volumes.add_argument(
        '--add-hu',
        type=int,
        default=0,
        metavar='N',
        help='add this to every value, to repair a lost intercept',
    )
    volumes.add_argument(
        '--accept',
        nargs='+',
        default=[],
        metavar='ISSUE',
        help='take scans despite these issues of check, such as "no lungs"; recorded in the store',
    )
    add_mask_values(volumes)
    add_workers(volumes)
    volumes.set_defaults(run=_volumes)


def _volumes(args: argparse.Namespace) -> None:
    from ...data_prep.builders.volumes import prepare_volumes
    from ...data_prep.slicing.slices import SliceSpec

    output_folder(args.store, 'store')
    slicing = SliceSpec(
        size=args.size,
        spacing_mm=tuple(args.spacing) if args.spacing else None,
        crop_lung=args.crop_lung,
        min_lung_px=args.min_lung_px,
        min_slices=args.min_slices,
    )
    with new_work_dir(args.store, lambda: _has_cases(args.store)):
        prepare_volumes(
            args.table,
            args.store,
            slicing,
            intensity=args.intensity,
            add_hu=args.add_hu,
            accept=args.accept,
            mask_values=mask_values(args),
            workers=args.workers,
            progress=bar('slicing'),
        )
    show_store(args.store)


def _add_images(commands: Commands) -> None:
    images = commands.add_parser('images', help='8-bit image files by a slice table')
    images.add_argument(
        'table', type=Path, help='CSV: case,patient,slice,image,infection,lung,label,site'
    )
    images.add_argument('store', type=Path)
    add_size(images)
    images.add_argument('--crop-lung', type=share, metavar='MARGIN', help='crop cases to the lungs')
    images.add_argument(
        '--clahe-sites', nargs='*', default=[], help='contrast-equalise these (CLAHE)'
    )
    images.add_argument(
        '--clahe-clip', type=share, default=0.01, help='clip limit of CLAHE, 0 to 1'
    )
    images.add_argument('--min-lung-px', type=at_least_0, default=100, help=LESS_LUNG)
    add_mask_values(images)
    add_workers(images)
    images.set_defaults(run=_images)


def _images(args: argparse.Namespace) -> None:
    from ...data_prep.builders.images import prepare_images

    output_folder(args.store, 'store')
    with new_work_dir(args.store, lambda: _has_cases(args.store)):
        prepare_images(
            args.table,
            args.store,
            size=args.size,
            crop_lung=args.crop_lung,
            min_lung_px=args.min_lung_px,
            clahe_sites=tuple(args.clahe_sites),
            clahe_clip=args.clahe_clip,
            mask_values=mask_values(args),
            workers=args.workers,
            progress=bar('reading'),
        )
    show_store(args.store)
