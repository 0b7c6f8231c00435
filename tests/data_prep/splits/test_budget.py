"""A budget annotates few slices, spread over patients and over the slices of each."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.splits.budget import annotated_rows, write_budget_split
from xaicovid_mm.data_prep.splits.record import known_leaks, read_record, write_record
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

INFECTED = {'a': 10, 'b': 2, 'c': 20, 'u': 6, 'v': 5}
"""Slices with infection by COVID-19 patient; each has 3 more without."""
ROLES = dict(labelled=['a', 'b', 'c', 'n'], unlabelled=['u', 'm'], val=['v'])


@pytest.fixture
def store(tmp_path):
    """COVID-19 patients with masks, one healthy patient, 4 slices, all with the split 'fold'."""
    writer = StoreWriter(tmp_path / 'store', (4, 4), 'hu', {'kind': 'test'})
    for patient in (*INFECTED, 'n', 'm'):
        infected = INFECTED.get(patient, 1)
        infection = np.zeros((infected + 3, 4, 4), bool)
        infection[2 : 2 + infected, 0] = True  # the first and the last slices are healthy
        masks = dict(infection=infection) if patient in INFECTED else {}
        label = 0 if patient == 'n' else 2
        image = np.arange(infection.size).reshape(infection.shape)
        writer.add_case(
            StoreCase(name=patient, patient=patient, site='s', image=image, label=label, **masks)
        )
    writer.close()
    store = SliceStore(tmp_path / 'store')
    write_split(store, 'fold', ROLES)
    return store


def slices_of(store, rows):
    """Patient to its slices among rows of the index."""
    found = {}
    for row in rows:
        found.setdefault(store.case_of(row).patient, []).append(int(store.index['slice'][row]))
    return found


@pytest.mark.parametrize(
    'budget, shares',
    [
        (1, dict(a=1)),
        (3, dict(a=1, b=1, c=1)),
        (6, dict(a=2, b=2, c=2)),
        (8, dict(a=3, b=2, c=3)),  # b has no more
        (32, dict(a=10, b=2, c=20)),
    ],
)
def test_a_budget_is_shared_evenly_by_the_labelled_patients(store, budget, shares):
    found = slices_of(store, annotated_rows(store, 'fold', budget))
    assert {patient: len(slices) for patient, slices in found.items()} == shares


def test_the_slices_of_a_patient_lie_evenly_among_those_with_infection(store):
    found = slices_of(store, annotated_rows(store, 'fold', 6))
    assert found == dict(a=[2 + 2, 2 + 7], b=[2, 3], c=[2 + 5, 2 + 15])


def test_the_rest_of_the_labelled_patients_becomes_unlabelled_and_all_else_stays(store):
    name = write_budget_split(store, 'fold', 6)
    assert name == 'fold_budget6'
    labelled = slices_of(store, store.rows(name, 'labelled'))
    assert labelled.pop('n') == [0, 1, 2, 3]  # healthy patients stay
    assert sum(map(len, labelled.values())) == 6
    unlabelled = slices_of(store, store.rows(name, 'unlabelled'))
    assert {p: len(s) for p, s in unlabelled.items()} == dict(a=11, b=3, c=21, u=9, m=4)
    assert np.array_equal(store.rows(name, 'val'), store.rows('fold', 'val'))


def test_all_is_the_split_itself(store):
    assert write_budget_split(store, 'fold', None) == 'fold'
    assert [p.stem for p in (store.root / 'splits').glob('*.npy')] == ['fold']


def test_the_record_says_the_budget_and_the_leaks_of_the_split(store):
    write_record(store, 'fold', dict(read_record(store, 'fold'), leaks=[]))
    name = write_budget_split(store, 'fold', 6)
    assert known_leaks(store, name) == []
    assert read_record(store, name)['parameters'] == dict(budget=6, of='fold')


def test_a_derived_split_is_not_made_again_unless_the_split_changed(store):
    path = store.root / 'splits' / f'{write_budget_split(store, "fold", 6)}.npy'
    before = path.stat().st_ino
    write_budget_split(store, 'fold', 6)
    assert path.stat().st_ino == before
    write_split(store, 'fold', ROLES | dict(labelled=['a', 'c'], unlabelled=['b']))
    write_budget_split(store, 'fold', 6)
    assert set(slices_of(store, store.rows('fold_budget6', 'labelled'))) == {'a', 'c'}


@pytest.mark.parametrize('budget', [0, -1, 33])
def test_a_budget_out_of_range_is_refused_with_both_numbers(store, budget):
    with pytest.raises(StoreError, match=f'budget of {budget} .* have 32 slices with infection'):
        write_budget_split(store, 'fold', budget)
    assert not (store.root / 'splits' / f'fold_budget{budget}.npy').exists()
