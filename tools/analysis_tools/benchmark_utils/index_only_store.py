"""Write a slice store with any number of slices that takes little disk space.

All its cases are links to one folder, so only the index grows.
"""

import json
from pathlib import Path

import numpy as np

from xaicovid_mm.data_prep.store.index import write_tables
from xaicovid_mm.data_prep.store.schema import FORMAT, INDEX_DTYPE, VERSION
from xaicovid_mm.utils.files import write_array, write_text

SLICES_PER_CASE = 250


def write_index_only_store(root: Path, slices: int, side: int = 96) -> None:
    """Write a store of ``slices`` slices, ``side`` x ``side``, with 250 slices per case."""
    folder = root / 'cases' / 'shared'
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    shape = (SLICES_PER_CASE, side, side)
    write_array(folder / 'image.npy', rng.integers(-1000, 200, shape).astype(np.int16))
    write_array(folder / 'lung.npy', np.ones(shape, np.uint8))
    index = np.zeros(slices, INDEX_DTYPE)
    index['case'], index['slice'] = divmod(np.arange(slices), SLICES_PER_CASE)
    records = [_case_record(number, side) for number in range(-(-slices // SLICES_PER_CASE))]
    for record in records:
        (root / record['folder']).symlink_to('shared')
    sha256 = write_tables(root, index, records)
    manifest = dict(
        format=FORMAT,
        version=VERSION,
        size=[side, side],
        intensity='hu',
        classes=['NP', 'CAP', 'COVID-19'],
        parameters=dict(kind='synthetic'),
        cases=len(records),
        slices=slices,
        sha256=sha256,
    )
    write_text(root / 'manifest.json', json.dumps(manifest))


def _case_record(number: int, side: int) -> dict:
    return dict(
        name=f'c{number}',
        patient=f'p{number}',
        site='synthetic',
        label=0,
        folder=f'cases/c{number}',
        first_row=number * SLICES_PER_CASE,
        rows=SLICES_PER_CASE,
        has_lung=True,
        has_infection=False,
        spacing_mm=None,
        affine=None,
        original_shape=[SLICES_PER_CASE, side, side],
        grid=None,
        sha256=[],
        notes=[],
    )
