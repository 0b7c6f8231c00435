"""Two processes that write one store, and readers of a store that is made again."""

import time

import numpy as np
import pytest
from at_once import at_once, settled

from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

SIDE = 8
STORED, OTHERS = list(range(6)), list(range(100, 106))


def write(root, value=0, pause=0.05):
    writer = StoreWriter(root, (SIDE, SIDE), 'hu', {'kind': 'test'})
    for number in range(6):
        time.sleep(pause)
        image = np.full((2, SIDE, SIDE), 1000)
        image[:, 0, 0] = value + number
        writer.add_case(
            StoreCase(name=f'c{number}', patient=f'p{number}', site='s', image=image, label=0)
        )
    writer.close()


def values(store):
    return [int(store.image(row)[0, 0]) for row in range(0, len(store), 2)]


@pytest.mark.parametrize('later', [0, 0.1])
def test_of_two_that_write_one_store_one_is_refused_and_the_store_is_whole(later, tmp_path):
    root = tmp_path / 'store'
    first, second = at_once(lambda: write(root), lambda: (time.sleep(later), write(root, 100)))
    assert settled([first, second])
    found = values(SliceStore(root))
    assert found == STORED or (found == OTHERS and not second[1])
    assert not [path for path in root.rglob('*') if path.name.startswith('.')]


def test_two_stores_in_one_folder_hold_nobody_up(tmp_path):
    ends = at_once(lambda: write(tmp_path / 'a'), lambda: write(tmp_path / 'b', 100))
    assert not any(text for _, text in ends)
    assert values(SliceStore(tmp_path / 'b')) == OTHERS


def test_a_store_that_is_being_made_is_refused_by_the_name_of_its_maker(tmp_path):
    root = tmp_path / 'store'

    def read():
        time.sleep(0.15)
        SliceStore(root)

    (maker, made), (_, read_text) = at_once(lambda: write(root), read)
    assert not made
    assert f'is being made by process {maker} on' in read_text and 'wait until' in read_text


def test_a_reader_goes_on_with_what_it_has_and_hears_of_what_is_made_again(tmp_path):
    root = tmp_path / 'store'
    write(root, pause=0)
    store = SliceStore(root)
    before = store.image(0).copy()
    (maker, text), (_, reader_text) = at_once(
        lambda: write(root, 100), lambda: _read_until_it_ends(store)
    )
    assert not text
    assert 'is made again by' in reader_text and 'start again' in reader_text
    np.testing.assert_array_equal(store.image(0), before)  # which was open
    with pytest.raises(StoreError, match='is made again by another process'):
        store.image(len(store) - 1)
    assert values(SliceStore(root)) == OTHERS


def _read_until_it_ends(store):
    """Read all slices again and again: each is an old one, until an error ends it."""
    for _ in range(1000):
        store._opened.cache_clear()
        assert values(store) == STORED
        time.sleep(0.005)
