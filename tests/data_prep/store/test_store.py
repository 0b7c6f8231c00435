"""The slice store, both ways."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import check_one_role, random_split, write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

SHAPE = (3, 8, 8)


def image(seed=0):
    return np.random.default_rng(seed).integers(-1000, 400, SHAPE)


def masks(label):
    """COVID-19 can only be labelled with a mask."""
    return dict(infection=np.zeros(SHAPE, bool)) if label == 2 else {}


def writer(root, **settings):
    return StoreWriter(root, (8, 8), settings.pop('intensity', 'hu'), {'kind': 'test'})


@pytest.fixture
def store(tmp_path):
    out = writer(tmp_path / 'store')
    mask = np.zeros(SHAPE, bool)
    mask[1, 2:4, 2:4] = True
    out.add_case(
        StoreCase(
            name='sick',
            patient='p0',
            site='a',
            image=image(0),
            label=2,
            lung=np.ones(SHAPE),
            infection=mask,
        )
    )
    out.add_case(StoreCase(name='unknown', patient='p1', site='a', image=image(1), label=2))
    out.add_case(StoreCase(name='healthy', patient='p2', site='b', image=image(2), label=0))
    out.close()
    return SliceStore(tmp_path / 'store')


def test_what_goes_in_comes_out(store):
    assert len(store) == 9 and store.size == (8, 8)
    np.testing.assert_array_equal(store.image(4), image(1)[1])
    assert store.infection(1).sum() == 4 and store.index['infection_px'][1] == 4
    assert store.case_of(8).name == 'healthy'


def test_three_kinds_of_infection_mask_are_told_apart(store):
    assert store.infection(1).any()
    assert store.infection(4) is None
    assert store.infection(7) is not None and not store.infection(7).any()


def test_a_missing_lung_mask_is_none(store):
    assert store.lung(0).all() and store.lung(3) is None


def test_the_window_maps_hu_to_0_and_1(store):
    shown = store.display(0, (-1000, 200))
    assert shown.dtype == np.float32 and 0 <= shown.min() and shown.max() <= 1
    np.testing.assert_allclose(shown, np.clip((image(0)[0] + 1000) / 1200, 0, 1), rtol=1e-6)


def test_the_index_is_mapped_and_not_read(store):
    assert isinstance(store.index, np.memmap)


def test_there_is_no_store_before_it_is_closed(tmp_path):
    writer(tmp_path).add_case(StoreCase(name='a', patient='p', site='s', image=image()))
    with pytest.raises(StoreError, match='manifest.json'):
        SliceStore(tmp_path)


def test_a_store_that_is_being_replaced_is_gone_until_it_is_whole(store):
    writer(store.root)
    with pytest.raises(StoreError):
        SliceStore(store.root)


def test_another_version_names_both(store):
    path = store.root / 'manifest.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'version': 7}))
    with pytest.raises(StoreError, match='version 7.*version 2'):
        SliceStore(store.root)


def test_a_damaged_array_names_the_file(store):
    (store.root / 'cases' / 'sick' / 'image.npy').write_bytes(b'nonsense')
    with pytest.raises(StoreError, match='image.npy'):
        store.image(0)


@pytest.mark.parametrize(
    'case, named',
    [
        (dict(image=np.full(SHAPE, 3)), 'every pixel is 3'),
        (dict(image=np.full(SHAPE, np.nan)), 'NaN'),
        (dict(image=image()[:, :4]), r'\(3, 4, 8\)'),
        (dict(image=image(), infection=np.ones((3, 4, 4))), r'infection.*\(3, 4, 4\).*\(3, 8, 8\)'),
        (dict(image=image(), lung=np.ones((2, 8, 8))), r'lung.*\(2, 8, 8\)'),
        (dict(image=image(), name='../a'), 'unfit'),
        (dict(image=image(), name='sick'), 'given twice'),
    ],
)
def test_a_case_that_cannot_be_stored_is_named(tmp_path, case, named):
    out = writer(tmp_path)
    out.add_case(StoreCase(name='sick', patient='p0', site='a', image=image()))
    with pytest.raises(StoreError, match=named):
        out.add_case(StoreCase(**{'name': 'new', 'patient': 'p', 'site': 's', **case}))


def test_a_store_without_cases_is_refused(tmp_path):
    with pytest.raises(StoreError, match='no case'):
        writer(tmp_path).close()


def test_a_split_that_does_not_exist_names_those_that_do(store):
    write_split(store, 'one', {'labelled': ['p0'], 'val': ['p2']})
    with pytest.raises(StoreError, match=r"'two'.*\['one'\]"):
        store.rows('two', 'labelled')
    assert store.rows('one', 'labelled').tolist() == [0, 1, 2]
    assert store.rows('one', 'val').tolist() == [6, 7, 8]
    assert not len(store.rows('one', 'test'))


def test_a_split_of_another_store_is_refused(store):
    write_split(store, 'one', {'labelled': ['p0']})
    np.save(store.root / 'splits' / 'one.npy', np.zeros(4, np.uint8))
    with pytest.raises(StoreError, match='4 rows, the index 9'):
        store.roles('one')


@pytest.mark.parametrize(
    'patients, named',
    [
        ({'labelled': ['p0'], 'test': ['p0']}, "'p0' is both labelled and test"),
        ({'train': ['p0']}, 'train'),
    ],
)
def test_a_split_that_leaks_or_invents_is_refused(patients, named):
    with pytest.raises(StoreError, match=named):
        check_one_role(patients)


def test_a_split_with_strangers_is_refused(store):
    with pytest.raises(StoreError, match='stranger'):
        write_split(store, 'one', {'labelled': ['stranger']})


@pytest.mark.parametrize('seed', range(4))
def test_a_random_split_gives_each_patient_one_role_and_each_role_every_class(tmp_path, seed):
    out = writer(tmp_path)
    for number in range(30):
        name, label = f'c{number}', number % 3
        out.add_case(
            StoreCase(
                name=name,
                patient=f'p{number // 6}{label}',
                site='s',
                image=image(number),
                label=label,
                **masks(label),
            )
        )
    out.close()
    store = SliceStore(tmp_path)
    patients = random_split(store, seed, labelled_per_class=1)
    check_one_role(patients)
    assert sum(map(len, patients.values())) == 15
    for group in patients.values():
        assert {p[-1] for p in group} == {'0', '1', '2'}
    assert patients == random_split(store, seed, labelled_per_class=1)


def test_too_few_patients_for_a_split_are_counted(store):
    with pytest.raises(StoreError, match='class NP has 1 patients'):
        random_split(store, 0)


def test_an_index_of_another_store_is_refused(store):
    np.save(store.root / 'index.npy', store.index[:4])
    with pytest.raises(StoreError, match=r'index.npy has 4 slices, manifest.json 9'):
        SliceStore(store.root)


def test_a_new_store_drops_the_cases_of_the_old_one_and_nothing_else(store):
    (store.root / 'cases' / 'thesis').mkdir()
    out = writer(store.root)
    out.add_case(StoreCase(name='only', patient='p', site='s', image=image()))
    out.close()
    assert sorted(f.name for f in (store.root / 'cases').iterdir()) == ['only', 'thesis']


KILLED = """
import os, signal, sys
import numpy as np
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils import files
root, when = sys.argv[1:]
saves = []
def save(*args):
    saves.append(args)
    if len(saves) == int(when):
        os.kill(os.getpid(), signal.SIGKILL)
    original(*args)
original, files.np.save = np.save, save
out = StoreWriter(root, (8, 8), 'hu', {})
for name in 'ab':
    image, lung = np.arange(192).reshape(3, 8, 8), np.ones((3, 8, 8))
    out.add_case(StoreCase(name=name, patient=name, site='s', image=image, label=0, lung=lung))
out.close()
"""


@pytest.mark.parametrize('when', [2, 3, 5])  # in a case, at the next one, in the index
def test_a_writer_that_is_killed_leaves_no_store_and_can_start_again(tmp_path, when):
    command = [sys.executable, '-c', KILLED, str(tmp_path / 's')]
    assert subprocess.run([*command, str(when)]).returncode == -signal.SIGKILL
    with pytest.raises(StoreError, match='no slice store'):
        SliceStore(tmp_path / 's')
    assert subprocess.run([*command, '0']).returncode == 0
    assert len(SliceStore(tmp_path / 's')) == 6
    assert sorted(f.name for f in (tmp_path / 's' / 'cases').iterdir()) == ['a', 'b']


@pytest.fixture
def hospital(tmp_path):
    """30 patients: of each of three classes 4, 3 and 3 at three sites, with 3 slices each."""
    out = writer(tmp_path / 'hospital')
    for number in range(30):
        label, site = number % 3, 'abc'[number // 3 % 3]
        out.add_case(
            StoreCase(
                name=f'c{number}',
                patient=f'p{number}',
                site=site,
                image=image(number),
                label=label,
                **masks(label),
            )
        )
    out.close()
    return SliceStore(tmp_path / 'hospital')


@pytest.mark.parametrize('seed', range(4))
def test_labelled_patients_of_every_class_come_from_every_site(hospital, seed):
    labelled = random_split(hospital, seed, labelled_per_class=3)['labelled']
    found = {(c.label, c.site) for c in hospital.cases if c.patient in labelled}
    assert found == {(label, site) for label in range(3) for site in 'abc'}


def test_the_labelled_share_is_one_of_the_training_patients(hospital):
    patients = random_split(hospital, 0, test=0.2, val=0.2, labelled_fraction=0.5)
    assert [len(patients[r]) for r in ('labelled', 'unlabelled', 'val', 'test')] == [9, 9, 6, 6]


def test_table_ii_labels_np_and_cap_by_slice_over_all_training_cases(hospital):
    patients = random_split(hospital, 0, labelled_per_class=3)
    write_split(hospital, 'by patient', patients)
    write_split(hospital, 'paper', patients, labelled_slices=10)
    before, after = hospital.roles('by patient'), hospital.roles('paper')
    labels = hospital.index['label']
    for label in (0, 1):
        labelled = (after == 1) & (labels == label)
        assert labelled.sum() == 10
        assert len(np.unique(hospital.index['case'][labelled])) > 3
    held_out = (before >= 3) | (labels == 2)
    np.testing.assert_array_equal(after[held_out], before[held_out])
    assert not np.isin(after[~held_out], (0, 3, 4)).any()


def test_more_labelled_slices_than_there_are_is_refused_with_both_numbers(hospital):
    with pytest.raises(StoreError, match='NP has 18 training slices, 19'):
        write_split(hospital, 's', random_split(hospital, 0), labelled_slices=19)


def test_a_patient_of_two_classes_cannot_be_drawn(tmp_path):
    out = writer(tmp_path)
    for label in range(2):
        out.add_case(
            StoreCase(name=f'c{label}', patient='twice', site='s', image=image(label), label=label)
        )
    out.close()
    with pytest.raises(StoreError, match="'twice'.*CAP and NP"):
        random_split(SliceStore(tmp_path), 0)
