"""Measure a slice store of many slices: to write its index, to split it, to draw a first batch.

python tools/analysis_tools/benchmark_scale.py --slices 100000 1000000

Its cases are links to one folder, so that it takes little disk. Each step runs in a process of its
own. Seconds are CPU time of that process, and its memory is told beside that of its imports.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.utils.errors import user_errors

BATCH = 16
SIDE = 32


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors(), tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        _report({count: _measure(Path(scratch, str(count)), count) for count in args.slices}, args)


def _measure(root: Path, slices: int) -> dict[str, dict[str, float]]:
    """Return ``seconds``, ``mib`` and ``before`` of each step on a store of so many slices."""
    steps: dict[str, Callable[[Path, int], dict[str, float]]] = {
        'write the index': _write,
        'open': _open,
        'write a split': _split,
        'dataset and first batch': _draw,
    }
    figures = {}
    for name, step in steps.items():
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            figures[name] = pool.submit(step, root, slices).result()
    return figures


def _write(root: Path, slices: int) -> dict[str, float]:
    from benchmark_utils.index_only_store import write_index_only_store

    return _cost(lambda: write_index_only_store(root, slices, SIDE))


def _open(root: Path, slices: int) -> dict[str, float]:
    from xaicovid_mm.data_prep.store.reader import SliceStore

    return _cost(lambda: SliceStore(root))


def _split(root: Path, slices: int) -> dict[str, float]:
    from xaicovid_mm.data_prep.splits.assign import write_split
    from xaicovid_mm.data_prep.store.reader import SliceStore

    store = SliceStore(root)
    patients = [case.patient for case in store.cases]
    return _cost(lambda: write_split(store, 'all', dict(unlabelled=patients)))


def _draw(root: Path, slices: int) -> dict[str, float]:
    import numpy as np

    from xaicovid_mm.datasets import SliceDataset

    rows = np.random.default_rng(0).integers(0, slices, BATCH).tolist()

    def draw() -> list[Any]:
        pack = [dict(type='PackCTInputs')]
        dataset = SliceDataset(root, 'all', ['unlabelled'], pack, allow_leaks=True)
        return [dataset[row] for row in rows]

    return _cost(draw)


def _cost(step: Callable[[], Any]) -> dict[str, float]:
    from benchmark_utils.peak_memory import peak_mib

    before, start = peak_mib(), time.process_time()
    step()
    return dict(seconds=time.process_time() - start, mib=peak_mib(), before=before)


def _report(figures: dict[int, dict[str, dict[str, float]]], args: argparse.Namespace) -> None:
    from rich.table import Table

    from xaicovid_mm.utils.files import write_text
    from xaicovid_mm.utils.terminal import Console

    table = Table('slices', 'step', 'CPU s', 'peak MiB', 'MiB of imports', title='scale')
    for slices, steps in figures.items():
        for name, at in steps.items():
            table.add_row(
                f'{slices:,}',
                name,
                f'{at["seconds"]:.3f}',
                f'{at["mib"]:.0f}',
                f'{at["before"]:.0f}',
            )
    Console().print(table)
    if args.out:
        write_text(args.out, json.dumps(figures, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('--slices', type=at_least_1, nargs='+', default=[100_000, 1_000_000])
    parser.add_argument('--scratch', type=Path, help='folder for temporary files')
    parser.add_argument('--out', type=Path, help='JSON file for all figures')
    return parser


if __name__ == '__main__':
    main()
