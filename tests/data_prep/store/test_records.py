"""Records of cases, read one at a time."""

import hashlib
import json

import numpy as np
import pytest

from xaicovid_mm.data_prep.store import records as case_records
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

IMAGE = np.arange(32).reshape(2, 4, 4)


def store_of(root, count, site='Zürich'):
    out = StoreWriter(root, (4, 4), 'hu', {})
    for number in range(count):
        out.add_case(
            StoreCase(
                name=f'c{number}',
                patient=f'p{number}',
                site=site,
                image=IMAGE + number,
                label=number % 3,
            )
        )
    out.close()
    return SliceStore(root)


def test_records_come_back_in_order_by_number_and_from_the_end(tmp_path):
    cases = store_of(tmp_path, 12).cases
    names = [f'c{number}' for number in range(12)]
    assert [case.name for case in cases] == names
    assert [cases[number].name for number in range(len(cases))] == names
    assert cases[-1].name == 'c11' and cases[3].site == 'Zürich' and cases[3].first_row == 6
    with pytest.raises(IndexError):
        cases[12]


def test_each_slice_finds_its_case(tmp_path):
    store = store_of(tmp_path, 12)
    assert [store.case_of(row).name for row in (0, 1, 2, 23)] == ['c0', 'c0', 'c1', 'c11']
    np.testing.assert_array_equal(store.image(23), IMAGE[1] + 11)


def test_opening_reads_no_record(tmp_path, monkeypatch):
    store_of(tmp_path, 12)
    read = []
    monkeypatch.setattr(case_records, '_case', read.append)
    store = SliceStore(tmp_path)
    assert len(store) == 24 and not read
    store.case_of(5)
    assert [json.loads(line)['name'] for line in read] == ['c2']


def test_the_manifest_is_as_long_for_many_cases_as_for_few(tmp_path):
    few, many = (store_of(tmp_path / str(count), count) for count in (10, 99))
    lengths = [len((store.root / 'manifest.json').read_bytes()) for store in (few, many)]
    assert lengths[0] == pytest.approx(lengths[1], abs=1)  # 20 and 198 slices


def test_the_manifest_seals_records_and_index(tmp_path):
    store, other = store_of(tmp_path / 'a', 3), store_of(tmp_path / 'b', 3, site='Bern')
    for name, seal in store.manifest['sha256'].items():
        assert seal == hashlib.sha256((store.root / name).read_bytes()).hexdigest()
    assert set(store.manifest['sha256']) == {'index.npy', 'cases.jsonl'}
    assert store.manifest != other.manifest


@pytest.mark.parametrize('name', ['cases.jsonl', 'cases.npy'])
@pytest.mark.parametrize('kept', [None, 7, -1])
def test_records_that_are_missing_or_cut_off_are_named(tmp_path, name, kept):
    path = store_of(tmp_path, 3).root / name
    content = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(content[:kept])
    with pytest.raises(StoreError, match=name):
        SliceStore(tmp_path)


def test_records_of_another_store_are_refused(tmp_path):
    store_of(tmp_path / 'a', 3)
    other = store_of(tmp_path / 'b', 4).root
    for name in ('cases.jsonl', 'cases.npy'):
        (tmp_path / 'a' / name).write_bytes((other / name).read_bytes())
    with pytest.raises(StoreError, match='cases.npy has 4 cases, manifest.json 3'):
        SliceStore(tmp_path / 'a')
