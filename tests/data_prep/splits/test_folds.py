"""Folds in which every patient of a class validates once."""

from collections import Counter

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import check_one_role
from xaicovid_mm.data_prep.splits.folds import rotating_folds
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError


def store_of(root, cases):
    """A store of cases (patient, site, label, whether it has a mask)."""
    writer = StoreWriter(root, (4, 4), 'hu', {'kind': 'test'})
    for number, (patient, site, label, has_mask) in enumerate(cases):
        image = np.random.default_rng(number).integers(-1000, 400, (2, 4, 4))
        masks = dict(infection=np.ones(image.shape, bool)) if has_mask else {}
        writer.add_case(
            StoreCase(
                name=f'c{number}', patient=patient, site=site, image=image, label=label, **masks
            )
        )
    writer.close()
    return SliceStore(root)


def covid(count, site='a'):
    return [(f'{site}{number}', site, 2, True) for number in range(count)]


@pytest.fixture(scope='module')
def public(tmp_path_factory):
    """Ten COVID-19 patients of two publishers, 7 and 3, and 23 healthy ones."""
    healthy = [(f'n{number}', 'n', 0, False) for number in range(23)]
    return store_of(tmp_path_factory.mktemp('f') / 'store', [*covid(7), *covid(3, 'b'), *healthy])


def test_ten_patients_make_five_folds_of_two_four_and_four(public):
    counts = Counter()
    for fold in rotating_folds(public):
        check_one_role(fold)
        ill = {role: [p for p in group if p[0] in 'ab'] for role, group in fold.items()}
        assert {role: len(group) for role, group in ill.items()} == dict(
            val=2, labelled=4, unlabelled=4
        )
        assert sum(map(len, fold.values())) == 33  # nobody is left out
        counts.update((role, p) for role, group in fold.items() for p in group)
    once = {key: number for key, number in counts.items() if key[1][0] in 'ab'}
    for role, times in (('val', 1), ('labelled', 2), ('unlabelled', 2)):
        assert {number for key, number in once.items() if key[0] == role} == {times}
    assert {number for (role, _), number in counts.items() if role == 'val'} == {1}


def test_both_publishers_are_labelled_in_every_fold_and_validate_apart(public):
    folds = rotating_folds(public)
    of_b = [
        [sum(p[0] == 'b' for p in fold[role]) for fold in folds] for role in ('labelled', 'val')
    ]
    assert min(of_b[0]) >= 1 and sorted(of_b[1]) == [0, 0, 1, 1, 1]


def test_the_seed_decides_the_folds(public):
    assert rotating_folds(public, seed=3) == rotating_folds(public, seed=3)
    assert rotating_folds(public, seed=3) != rotating_folds(public, seed=4)


def test_what_cannot_be_labelled_is_unlabelled_in_every_fold(tmp_path):
    more = [('u', 'a', None, False), ('m', 'a', 2, False)]
    for fold in rotating_folds(store_of(tmp_path / 'store', [*covid(4), *more]), folds=4):
        assert {'u', 'm'} <= set(fold['unlabelled'])
        assert {role: len(group) for role, group in fold.items()} == dict(
            val=1, labelled=1, unlabelled=4
        )


@pytest.mark.parametrize(
    'cases, folds, says',
    [
        (covid(5), 2, '2 folds leave no patients'),
        (covid(4), 5, 'class COVID-19 has 4 patients for 5 folds'),
        ([*covid(5), ('n', 'a', 0, False)], 5, 'class NP has 1 patients for 5 folds'),
        ([('p', 'a', 2, False)] * 1, 5, 'no COVID-19 patient with an infection mask'),
        ([('p', 'a', None, False)], 5, 'no COVID-19 patient with an infection mask'),
    ],
)
def test_too_few_patients_are_refused_with_both_numbers(tmp_path, cases, folds, says):
    with pytest.raises(StoreError, match=says):
        rotating_folds(store_of(tmp_path / 'store', cases), folds=folds)
