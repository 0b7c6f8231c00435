"""Folds and label fractions of one seed."""

from itertools import combinations

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import random_split, write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

PER_CLASS = 20


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    """60 patients of three classes at two sites, 2 slices each."""
    root = tmp_path_factory.mktemp('splits') / 'store'
    writer = StoreWriter(root, (4, 4), 'hu', {'kind': 'test'})
    for number in range(3 * PER_CLASS):
        image = np.random.default_rng(number).integers(-1000, 400, (2, 4, 4))
        masks = dict(infection=np.zeros(image.shape, bool)) if number % 3 == 2 else {}
        site = 'ab'[number // 3 % 2]
        writer.add_case(
            StoreCase(
                name=f'c{number}',
                patient=f'p{number}',
                site=site,
                image=image,
                label=number % 3,
                **masks,
            )
        )
    writer.close()
    return SliceStore(root)


def test_what_cannot_be_labelled_is_not(store, tmp_path):
    """As in Table II: COVID-19 without a mask is tested, and an unknown class is unlabelled."""
    writer = StoreWriter(tmp_path / 'store', (4, 4), 'hu', {'kind': 'test'})
    image = np.arange(32).reshape(2, 4, 4)
    for number in range(24):
        label = (0, 1, 2, 2, None, 0)[number % 6]
        masks = dict(infection=image > 9) if number % 6 == 2 else {}
        writer.add_case(
            StoreCase(
                name=f'c{number}', patient=f'p{number}', site='a', image=image, label=label, **masks
            )
        )
    writer.close()
    split = random_split(SliceStore(tmp_path / 'store'), 0, labelled_per_class=1)
    role_of = {patient: role for role, group in split.items() for patient in group}
    assert len(role_of) == 24
    assert {role_of[f'p{k}'] for k in range(4, 24, 6)} == {'unlabelled'}
    assert {role_of[f'p{k}'] for k in range(3, 24, 6)} == {'test', 'val', 'unlabelled'}
    assert {role_of[f'p{k}'] for k in range(2, 24, 6)} == {'test', 'val', 'labelled', 'unlabelled'}


def folds(store, count, seed=0, **settings):
    return [random_split(store, seed, fold=(k, count), **settings) for k in range(count)]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('count', [2, 4, 5])
def test_every_training_patient_validates_in_exactly_one_fold(store, count, seed):
    splits = folds(store, count, seed, labelled_per_class=2)
    validating = [patient for split in splits for patient in split['val']]
    everyone = {case.patient for case in store.cases}
    assert len(validating) == len(set(validating))
    assert set(validating) == everyone - set(splits[0]['test'])


@pytest.mark.parametrize('seed', range(3))
def test_all_folds_have_the_test_set_of_the_plain_split(store, seed):
    plain = random_split(store, seed)['test']
    assert all(split['test'] == plain for split in folds(store, 5, seed))


def test_folds_have_every_class_and_site_in_every_role(store):
    of = {case.patient: (case.label, case.site) for case in store.cases}
    for split in folds(store, 3):
        for role in ('labelled', 'val', 'test'):
            assert len({of[patient] for patient in split[role]}) == 6


@pytest.mark.parametrize('fold', [None, (0, 3), (2, 3)])
@pytest.mark.parametrize('seed', range(3))
def test_the_labelled_patients_of_a_fraction_are_among_those_of_a_larger_one(store, seed, fold):
    splits = [
        random_split(store, seed, labelled_fraction=f, fold=fold) for f in (0.1, 0.2, 0.5, 0.9)
    ]
    for small, large in combinations(splits, 2):
        assert set(small['labelled']) < set(large['labelled'])
        assert small['val'] == large['val'] and small['test'] == large['test']


def test_the_labelled_slices_of_a_count_are_among_those_of_a_larger_one(store):
    patients = random_split(store, 0)
    rows = []
    for count in (3, 8, 20):
        write_split(store, 'paper', patients, labelled_slices=count, seed=4)
        picked = store.rows('paper', 'labelled')
        rows.append(set(picked[store.index['label'][picked] < 2].tolist()))
    assert rows[0] < rows[1] < rows[2]


def test_two_seeds_give_two_test_sets(store):
    assert random_split(store, 0)['test'] != random_split(store, 1)['test']


def test_more_folds_than_training_patients_are_refused_with_the_class_and_its_count(store):
    with pytest.raises(StoreError, match='class NP has 20 patients.*folds'):
        random_split(store, 0, fold=(0, 16))


@pytest.mark.parametrize('name', ['../z', '/z', '.z', '', ' z', 'a/b', 'a\\b', 'z\n'])
def test_a_split_is_never_written_beside_the_folder_of_splits(store, name):
    before = sorted(store.root.parent.rglob('*'))
    with pytest.raises(StoreError, match='split name .*: rename it'):
        write_split(store, name, {'val': [store.cases[0].patient]})
    assert sorted(store.root.parent.rglob('*')) == before


@pytest.mark.parametrize('patients', [{}, {'labelled': [], 'test': []}])
def test_a_split_without_any_patient_is_refused(store, patients):
    with pytest.raises(StoreError, match="'void' has no patient"):
        write_split(store, 'void', patients)
