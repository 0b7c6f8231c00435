"""The data benchmark compares equal work."""

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.phantom import write_phantom
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore

FOLDER = Path('tools/analysis_tools').resolve()


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    """Four scans of three patients, one a class."""
    return write_phantom(tmp_path_factory.mktemp('bench'), patients_per_class=1, sites=2)


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def rows_of(table):
    with open(table, newline='') as file:
        return list(csv.DictReader(file))


def test_both_ways_make_the_same_slices(table, tmp_path):
    tools = runpy.run_path(str(FOLDER / 'benchmark_utils' / 'baseline_pipeline.py'))
    rows = rows_of(table)[:2]
    assert tools['prepare_plainly'](rows, table.parent, tmp_path, 54) > 20
    prepare_volumes(table, tmp_path / 'store', SliceSpec(54, min_lung_px=0))
    store = SliceStore(tmp_path / 'store')
    for number, row in enumerate(rows):
        case = store.cases[number]
        ours = np.load(store.root / case.folder / 'image.npy')
        planes = store.index['plane'][case.first_row : case.first_row + case.rows]
        plain = np.load(tmp_path / f'{row["case"]}.npy')[planes]
        assert np.corrcoef(ours.ravel(), plain.ravel())[0, 1] > 0.98  # ours smooths before


def test_a_slice_of_a_file_is_that_of_the_volume(table, tmp_path):
    tools = runpy.run_path(str(FOLDER / 'benchmark_utils' / 'baseline_pipeline.py'))
    rows = rows_of(table)
    items = list(tools['slice_items'](rows[:1], table.parent, 54))
    found = tools['read_slice'](items[12])
    assert found['image'].shape == (54, 54) and found['lung'].sum() > 100
    assert (found['image'][~found['lung']] == 0).all() and found['image'].max() > 0.2


def test_a_big_index_costs_as_much_to_open_as_a_small_one(tmp_path):
    tools = runpy.run_path(str(FOLDER / 'benchmark_utils' / 'index_only_store.py'))
    tools['write_index_only_store'](tmp_path / 'big', 100_000, side=8)
    store = SliceStore(tmp_path / 'big')
    assert len(store) == 100_000 and len(store.cases) == 400
    np.testing.assert_array_equal(store.image(99_999), store.image(249))
    assert store.case_of(99_999).name == 'c399'


def test_every_figure_is_there_and_above_0(table, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['benchmark_data.py'])
    main = runpy.run_path(str(FOLDER / 'benchmark_data.py'))['main']
    small = '--cases 2 --size 32 --rounds 1 --reads 20 --workers 0 --slices 500 --volumes'.split()
    main([str(table), *small, '--out', str(tmp_path / 'out.json'), '--scratch', str(tmp_path)])
    found = json.loads((tmp_path / 'out.json').read_text())
    assert set(found['preparation']) == {'ours', 'plain'} and set(found['reads']) == {
        'store',
        'nifti',
    }
    ways = {'ours', 'nifti', 'monai disk cache', 'monai memory cache'}
    assert set(found['loader']) == ways and found['opening'][0]['slices'] == 500
    figures = [*found['preparation'].values(), *found['reads'].values(), *found['loader'].values()]
    assert min(figures) > 0


def test_the_table_of_a_benchmark_finds_every_file_from_another_folder(table, tmp_path):
    tools = runpy.run_path(str(FOLDER / 'benchmark_data.py'))
    written = tools['_write_table'](rows_of(table), table.parent, tmp_path / 'there')
    found = rows_of(written)
    assert any(row['cause'] for row in found)
    for row in found:
        paths = [row[column] for column in ('image', 'infection', 'lung', 'cause') if row[column]]
        assert all(Path(path).is_absolute() and Path(path).is_file() for path in paths)


def test_the_scale_is_measured_in_processes_of_their_own(tmp_path):
    command = [sys.executable, 'tools/analysis_tools/benchmark_scale.py', '--slices', '400']
    done = subprocess.run(
        [*command, '--out', str(tmp_path / 'scale.json'), '--scratch', str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    steps = json.loads((tmp_path / 'scale.json').read_text())['400']
    assert list(steps) == ['write the index', 'open', 'write a split', 'dataset and first batch']
    assert all(at['mib'] >= at['before'] > 10 and at['seconds'] > 0 for at in steps.values())
