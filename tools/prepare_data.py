"""Make slice stores.

python tools/prepare_data.py phantom data/phantom
python tools/prepare_data.py check cases.csv data/mine/check --workers 4
python tools/prepare_data.py volumes cases.csv data/mine/store --spacing 1 1 1 --workers 4
python tools/prepare_data.py lungs cases.csv data/mine/lungs --method threshold
python tools/prepare_data.py images slices.csv data/mine/store --crop-lung 0.03
python tools/prepare_data.py split data/mine/store --name default --labelled-per-class 5
python tools/prepare_data.py split data/mine/store --name paper --labelled-slices 2500
python tools/prepare_data.py split data/mine/store --name cv --folds 5
python tools/prepare_data.py split data/mine/store --name default --recheck
python tools/prepare_data.py info data/mine/store --split default --site-audit
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from xaicovid_mm.data_prep.case_slices import Slicing
from xaicovid_mm.data_prep.check_report import check_cases
from xaicovid_mm.data_prep.images import prepare_images
from xaicovid_mm.data_prep.lookalikes import fingerprints
from xaicovid_mm.data_prep.lung_table import prepare_lungs
from xaicovid_mm.data_prep.phantom import write_phantom
from xaicovid_mm.data_prep.site_audit import site_audit
from xaicovid_mm.data_prep.split_record import check_split
from xaicovid_mm.data_prep.splits import random_split, write_split
from xaicovid_mm.data_prep.store import SliceStore, StoreError
from xaicovid_mm.data_prep.store_info import store_tables
from xaicovid_mm.data_prep.volumes import prepare_volumes
from xaicovid_mm.engine.errors import user_errors


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        args.run(args)


def _phantom(args: argparse.Namespace) -> None:
    table = write_phantom(
        args.out,
        args.patients_per_class,
        args.sites,
        args.seed,
        args.workers,
        lambda rows, total: track(rows, 'scanning phantoms', total),
    )
    root = args.out / 'store'
    slicing = Slicing(args.size)
    progress = _bar('slicing')
    prepare_volumes(table, root, slicing, progress=progress, workers=args.workers, kind='phantom')
    store = SliceStore(root)
    write_split(store, 'default', random_split(store, args.seed), dict(seed=args.seed))
    _check(store, ['default'], allow_leaks=False)


def _check_cases(args: argparse.Namespace) -> None:
    outcome = check_cases(args.table, args.out, _bar('checking'), args.workers)
    for line in outcome.refused:
        sys.stderr.write(f'refused: {line}\n')
    counts = ', '.join(f'{count} {verdict}' for verdict, count in outcome.counts.items())
    Console(soft_wrap=True, highlight=False).print(f'{counts}; {args.out}/check.html')
    if outcome.refused:
        raise SystemExit(1)


def _volumes(args: argparse.Namespace) -> None:
    spacing = tuple(args.spacing) if args.spacing else None
    slicing = Slicing(args.size, spacing, args.crop_lung, args.min_lung_px, args.min_slices)
    bar = _bar('slicing')
    prepare_volumes(
        args.table, args.store, slicing, args.intensity, bar, args.workers, add_hu=args.add_hu
    )
    _info(argparse.Namespace(store=args.store, split=None))


def _lungs(args: argparse.Namespace) -> None:
    from xaicovid_mm.apis.lung_methods import lung_method  # slow to load, and only needed here

    method = lung_method(args.method, args.config, args.checkpoint, args.intensity)
    bar = _bar('finding lungs')
    kept, flagged = prepare_lungs(args.table, args.out, method, args.keep_flagged, bar)
    console = Console(soft_wrap=True)
    for row in flagged:
        console.print(f'[yellow]flagged:[/] {row["case"]}: {row["flags"]}')
    console.print(f'{len(kept)} cases in {args.out}/cases.csv, {len(flagged)} flagged')


def _images(args: argparse.Namespace) -> None:
    prepare_images(
        args.table,
        args.store,
        args.size,
        args.crop_lung,
        tuple(args.clahe_sites),
        args.min_lung_px,
        _bar('reading'),
        args.clahe_clip,
    )
    _info(argparse.Namespace(store=args.store, split=None))


def _split(args: argparse.Namespace) -> None:
    store = SliceStore(args.store)
    if args.recheck:
        names = [args.name]
    elif args.file:
        names = [args.name]
        how = dict(file=args.file.name)
        _write(store, args.name, json.loads(args.file.read_text()), how, args)
    else:
        names = _draw(store, args)
    _check(store, names, args.allow_leaks)


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
    write_split(store, name, patients, how, args.labelled_slices, args.seed)


def _check(store: SliceStore, names: Sequence[str], allow_leaks: bool) -> None:
    prints = fingerprints(store, _bar('looking for leaks'))
    leaking = [name for name in names if check_split(store, name, prints)]
    for name in names:
        _info(argparse.Namespace(store=store.root, split=name))
    if leaking and not allow_leaks:
        raise StoreError(
            f'split {", ".join(leaking)} of {store.root} leaks and will not be trained on: give '
            'these patients one role with --file, or take it as it is with --allow-leaks'
        )


def _info(args: argparse.Namespace) -> None:
    _print(*store_tables(SliceStore(args.store), args.split))


def _info_and_audit(args: argparse.Namespace) -> None:
    _info(args)
    if args.site_audit:
        table, warnings = site_audit(SliceStore(args.store), args.split, _bar('reading'))
        _print([table], warnings)


def _print(tables: Iterable[Table], warnings: Iterable[str]) -> None:
    console = Console()
    for table in tables:
        console.print(table)
    for warning in warnings:
        console.print(f'[yellow]warning:[/] {warning}')


def _bar(text: str) -> Callable[[Sequence], Iterable]:
    return lambda items: track(items, text, len(items))


def _folds(text: str) -> int:
    if (folds := int(text)) < 2:
        raise argparse.ArgumentTypeError(f'{folds} folds: cross-validation needs 2 or more')
    return folds


def _parser() -> argparse.ArgumentParser:
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    phantom = commands.add_parser('phantom', help='chest-CT phantoms, their store and split')
    phantom.add_argument('out', type=Path, help='gets volumes/, cases.csv and store/')
    phantom.add_argument('--patients-per-class', type=int, default=18)
    phantom.add_argument('--sites', type=int, default=3)
    phantom.add_argument('--seed', type=int, default=0)
    phantom.add_argument('--size', type=int, default=96, help='H = W of the stored slices')
    phantom.add_argument('--workers', type=int, default=2, help='processes')
    phantom.set_defaults(run=_phantom)

    check = commands.add_parser(
        'check',
        help='look at every case of a table and change nothing',
        epilog='Exit code: 0 if every case is ok or has warnings, 1 if any is refused, 2 if the '
        'table itself is wrong.',
    )
    check.add_argument('table', type=Path, help='as for volumes')
    check.add_argument('out', type=Path, help='gets check.json and check.html')
    check.add_argument('--workers', type=int, default=1, help='processes')
    check.set_defaults(run=_check_cases)

    volumes = commands.add_parser('volumes', help='NIfTI or DICOM volumes by a case table')
    volumes.add_argument(
        'table',
        type=Path,
        help='CSV: case,patient,image,infection,lung,label,site; or a folder of scans',
    )
    volumes.add_argument('store', type=Path)
    volumes.add_argument('--size', type=int, default=224, help='H = W of the stored slices')
    volumes.add_argument('--spacing', type=float, nargs=3, metavar='MM', help='z y x; paper: 1 1 1')
    volumes.add_argument('--crop-lung', type=float, metavar='MARGIN', help='crop to the lungs')
    volumes.add_argument('--intensity', choices=['hu', 'display'], default='hu')
    volumes.add_argument('--min-lung-px', type=int, default=100, help='less lung: slice left out')
    volumes.add_argument('--min-slices', type=int, default=5, help='fewer: the scan is refused')
    volumes.add_argument(
        '--add-hu', type=int, default=0, metavar='N', help='to every value: mends a lost intercept'
    )
    volumes.add_argument('--workers', type=int, default=1, help='processes')
    volumes.set_defaults(run=_volumes)

    lungs = commands.add_parser('lungs', help='lung masks for NIfTI volumes by a case table')
    lungs.add_argument('table', type=Path, help='as for volumes; cases with a mask keep it')
    lungs.add_argument('out', type=Path, help='gets masks/, cases.csv and flagged.csv')
    lungs.add_argument('--method', choices=['threshold', 'model', 'lungmask'], default='threshold')
    lungs.add_argument('--config', type=Path, help='of the model, such as configs/lung/unet.py')
    lungs.add_argument('--checkpoint', type=Path, help='weights of the model or of lungmask')
    lungs.add_argument('--intensity', choices=['hu', 'display'], default='hu')
    lungs.add_argument('--keep-flagged', action='store_true', help='pass them on all the same')
    lungs.set_defaults(run=_lungs)

    images = commands.add_parser('images', help='8-bit image files by a slice table')
    images.add_argument(
        'table', type=Path, help='CSV: case,patient,slice,image,infection,lung,label,site'
    )
    images.add_argument('store', type=Path)
    images.add_argument('--size', type=int, default=224, help='H = W of the stored slices')
    images.add_argument('--crop-lung', type=float, metavar='MARGIN', help='crop cases to the lungs')
    images.add_argument('--clahe-sites', nargs='*', default=[], help='contrast-equalise these')
    images.add_argument('--clahe-clip', type=float, default=0.01, help='its clip limit, 0 to 1')
    images.add_argument('--min-lung-px', type=int, default=200, help='less lung: slice left out')
    images.set_defaults(run=_images)

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
    way.add_argument('--recheck', action='store_true', help='look for leaks in a split that is')
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

    info = commands.add_parser('info', help='what a store holds')
    info.add_argument('store', type=Path)
    info.add_argument('--split', help='count its roles')
    info.add_argument(
        '--site-audit',
        action='store_true',
        help='can site and class be told without the lungs; with --split, test patients stay out',
    )
    info.set_defaults(run=_info_and_audit)
    return parser


if __name__ == '__main__':
    main()
