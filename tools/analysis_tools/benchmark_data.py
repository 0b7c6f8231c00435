"""Measure preparation, memory, opening, random reads and loading of data, beside other methods.

python tools/prepare_data.py phantom data/phantom
python tools/analysis_tools/benchmark_data.py data/phantom/cases.csv

The plain method uses nibabel and scipy alone. MONAI's caches hold the slices of the plain method
(pip install monai). All methods end in the same two views of a slice.
"""

import argparse
import csv
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text
from xaicovid_mm.utils.terminal import Console

if TYPE_CHECKING:  # slow to import
    from torch.utils.data import Dataset

VIEWS = (dict(type='StrongView'), dict(type='PackCTInputs', two_views=True))
Rows = list[dict[str, str]]


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors(), tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        with open(args.table, newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
        base, folder = args.table.resolve().parent, Path(scratch)
        figures = dict(
            memory=_memory(rows, base, folder / 'memory', args.volumes),
            preparation=_preparation(rows[: args.cases], base, folder / 'prepared', args),
            opening=[_opening(folder / f'index{n}', n, args.reads) for n in args.slices],
        )
        store = folder / 'prepared/store0'
        figures |= _reads_and_loader(rows[: args.cases], base, store, folder, args)
        Console().print(_table(figures))
        if args.out:
            write_text(args.out, json.dumps(figures, indent=1))


def _preparation(
    rows: Rows, base: Path, folder: Path, args: argparse.Namespace
) -> dict[str, float]:
    """Return slices prepared in a CPU second, ours and plain; every case has its lung mask."""
    from benchmark_utils.baseline_pipeline import prepare_plainly, slice_items
    from benchmark_utils.stopwatch import time_in_turn

    from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
    from xaicovid_mm.data_prep.slicing.slices import SliceSpec

    table, numbers = _write_table(rows, base, folder), itertools.count()
    plain = folder / 'plain'
    plain.mkdir()
    slicing = SliceSpec(args.size, min_lung_px=0)
    methods: dict[str, Callable[[], Any]] = dict(
        ours=lambda: prepare_volumes(table, folder / f'store{next(numbers)}', slicing),
        plain=lambda: prepare_plainly(rows, base, plain, args.size),
    )
    seconds = time_in_turn(methods, args.rounds, time.process_time)
    count = sum(1 for _ in slice_items(rows, base, args.size))
    return {name: count / float(np.median(times)) for name, times in seconds.items()}


def _memory(rows: Rows, base: Path, folder: Path, volumes: Sequence[int]) -> dict[str, float]:
    """Return the peak MiB of a process that prepares the given numbers of volumes.

    The rows are repeated under other names.
    """
    peaks = {}
    for count in volumes:
        many = [rows[k % len(rows)] | dict(case=f'c{k}', patient=f'p{k}') for k in range(count)]
        table = _write_table(many, base, folder / str(count))
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            peaks[str(count)] = pool.submit(_peak_mib, table, folder / f'{count}/store').result()
    return peaks


def _peak_mib(table: Path, root: Path) -> float:
    from benchmark_utils.peak_memory import peak_mib

    from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
    from xaicovid_mm.data_prep.slicing.slices import SliceSpec

    prepare_volumes(table, root, SliceSpec(96))
    return peak_mib()


def _opening(root: Path, slices: int, reads: int) -> dict[str, float]:
    """Return ms to open a store, and slices per second read at random from the page cache."""
    from benchmark_utils.index_only_store import write_index_only_store
    from benchmark_utils.stopwatch import time_in_turn

    write_index_only_store(root, slices)
    opening = time_in_turn(dict(open=lambda: SliceStore(root)), 20)['open']
    store, rng = SliceStore(root), np.random.default_rng(0)
    drawn = rng.integers(0, slices, reads).tolist()
    start = time.perf_counter()
    for row in drawn:
        store.image(row), store.lung(row)
    spent = time.perf_counter() - start
    return dict(slices=slices, open_ms=1000 * float(np.median(opening)), reads_per_s=reads / spent)


def _reads_and_loader(
    rows: Rows, base: Path, root: Path, folder: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """Return slices per second, read at random, and read by a loader that makes both views."""
    from benchmark_utils.baseline_pipeline import PlainSlices, read_slice, slice_items
    from benchmark_utils.stopwatch import time_in_turn
    from mmengine.dataset import Compose

    from xaicovid_mm.data_prep.splits.assign import write_split
    from xaicovid_mm.datasets import SliceDataset
    from xaicovid_mm.registry import TRANSFORMS

    store = SliceStore(root)
    patients = sorted({case.patient for case in store.cases})
    write_split(store, 'all', dict(unlabelled=patients))
    ours = SliceDataset(root, 'all', ['unlabelled'], VIEWS, allow_leaks=True)
    items = list(slice_items(rows, base, args.size))
    drawn = np.random.default_rng(0).integers(0, min(len(ours), len(items)), args.reads).tolist()
    few = drawn[: max(args.reads // 20, 1)]
    reads = time_in_turn(
        dict(
            store=lambda: [(store.display(row), store.lung(row)) for row in drawn],
            nifti=lambda: [read_slice(items[number]) for number in few],
        ),
        args.rounds,
    )
    counts = dict(store=len(drawn), nifti=len(few))
    views = Compose([TRANSFORMS.build(step) for step in VIEWS])
    datasets = dict(ours=ours, nifti=PlainSlices(items, views))
    datasets |= _monai_datasets(items, views, folder)
    loading = time_in_turn({k: _epoch(d, args) for k, d in datasets.items()}, args.rounds)
    return dict(
        reads={k: counts[k] / float(np.median(times)) for k, times in reads.items()},
        loader={k: len(datasets[k]) / float(np.median(times)) for k, times in loading.items()},
    )


def _monai_datasets(items: list[dict], views: Any, folder: Path) -> dict[str, 'Dataset']:
    from benchmark_utils.baseline_pipeline import PlainSlices, read_slice

    try:
        from monai.data import CacheDataset, PersistentDataset
    except ImportError:
        return {}
    disk = PersistentDataset(items, read_slice, folder / 'monai')
    memory = CacheDataset(items, read_slice, progress=False, copy_cache=False)
    return {
        'monai disk cache': PlainSlices(disk, views),
        'monai memory cache': PlainSlices(memory, views),
    }


def _epoch(dataset: 'Dataset', args: argparse.Namespace) -> Callable[[], None]:
    """Return a function that reads all slices in random order with newly started workers."""
    from torch.utils.data import DataLoader

    def run() -> None:
        loader = DataLoader(
            dataset, 16, shuffle=True, num_workers=args.workers, collate_fn=lambda samples: samples
        )
        for _ in loader:
            pass

    return run


def _write_table(rows: Rows, base: Path, folder: Path) -> Path:
    """Write a case table of the rows with absolute paths."""
    from xaicovid_mm.data_prep.load_case import FILES

    folder.mkdir(parents=True)
    files = [column for column in FILES if column in rows[0]]
    with open(folder / 'cases.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {k: str(base / row[k]) for k in files if row[k]})
    return folder / 'cases.csv'


def _table(figures: dict[str, Any]) -> Table:
    table = Table('what', 'method', 'figure', title='data')
    units = dict(preparation='slices/CPU s', memory='MiB', reads='slices/s', loader='slices/s')
    for what, unit in units.items():
        for method, value in figures[what].items():
            name = f'{method} volumes' if what == 'memory' else method
            table.add_row(what, name, f'{value:.0f} {unit}')
    for at in figures['opening']:
        figure = f'{at["open_ms"]:.2f} ms, {at["reads_per_s"]:.0f} reads/s'
        table.add_row('opening', f'{at["slices"]} slices', figure)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('table', type=Path, help='case table of volumes with lung masks')
    parser.add_argument('--cases', type=int, default=12, help='cases that are timed')
    parser.add_argument('--size', type=int, default=96)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--reads', type=int, default=2000)
    parser.add_argument('--workers', type=int, default=2, help='workers of the loader')
    parser.add_argument(
        '--volumes',
        type=int,
        nargs='*',
        default=[10, 200],
        help='numbers of volumes of the memory test',
    )
    parser.add_argument('--slices', type=int, nargs='+', default=[1000, 100_000, 1_000_000])
    parser.add_argument('--scratch', type=Path, help='folder for temporary files')
    parser.add_argument('--out', type=Path, help='JSON file for all figures')
    return parser


if __name__ == '__main__':
    main()
