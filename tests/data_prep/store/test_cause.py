"""What makes a case its class comes from the phantom into the store, and is never needed."""

import csv
import hashlib

import nibabel as nib
import numpy as np
import pytest

from xaicovid_mm.classes import CAP, COVID, NP
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.phantom import make_case, write_phantom
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.phantom.shortcuts import SHORTCUTS
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import ScanError


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp('phantom'), patients_per_class=1, sites=1)


def rows_of(table):
    with open(table, newline='') as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def hashes(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*.npy'))
    }


def test_each_class_has_its_cause_and_a_table_without_the_column_gives_the_same_store(
    table, tmp_path
):
    first = [row for row in rows_of(table) if row['case'].endswith('_0')]
    spec, root = SliceSpec(64), tmp_path / 'with'
    prepare_volumes(write(table.parent / 'first.csv', first), root, spec)
    store = SliceStore(root)
    assert [case.has_cause for case in store.cases] == [False, True, True]
    for row, entry in enumerate(store.index):
        cause = store.cause(row)
        if entry['label'] == NP:
            assert cause is None
        if entry['label'] == COVID:
            np.testing.assert_array_equal(cause, store.infection(row) > 0)
        if entry['label'] == CAP:
            assert not (cause & ~store.lung(row)).any() and not store.infection(row).any()
    assert any(store.cause(row).any() for row in np.flatnonzero(store.index['label'] == CAP))

    bare = [{k: v for k, v in row.items() if k != 'cause'} for row in first]
    prepare_volumes(write(table.parent / 'bare.csv', bare), tmp_path / 'bare', spec)
    without = SliceStore(tmp_path / 'bare')
    assert without.cause(0) is None and not any(case.has_cause for case in without.cases)
    causes = {name for name in hashes(root) if name.endswith('cause.npy')}
    kept = {k: v for k, v in hashes(root).items() if k not in causes and k != 'cases.npy'}
    assert len(causes) == 2
    assert kept == {k: v for k, v in hashes(tmp_path / 'bare').items() if k != 'cases.npy'}
    assert 'has_cause' not in (tmp_path / 'bare' / 'cases.jsonl').read_text()


def test_a_cause_on_another_grid_is_refused(table, tmp_path):
    row = next(r for r in rows_of(table) if r['label'] == 'CAP')
    image = nib.load(table.parent / row['cause'])
    nib.save(image.slicer[:-2], table.parent / 'small.nii.gz')
    wrong = write(table.parent / 'wrong.csv', [row | dict(cause='small.nii.gz')])
    with pytest.raises(ScanError, match=r'small\.nii\.gz'):
        prepare_volumes(wrong, tmp_path / 'store', SliceSpec(64))


@pytest.mark.parametrize('name', SHORTCUTS)
def test_a_shortcut_changes_what_it_says_and_nothing_else(name):
    case = make_case(COVID, SITES[0], [3])
    hu = case.hu.copy()
    planted = SHORTCUTS[name](hu, case.lung, case.spacing)
    assert planted.any() and (hu[~planted] == case.hu[~planted]).all()
    assert (hu[planted] != case.hu[planted]).mean() > 0.99
    inside = planted & case.lung
    if name == 'mass_outside':
        assert not inside.any()
    else:
        assert (inside == planted).all()
    if name == 'site_mark':
        marked, lung = planted.any((1, 2)), case.lung.any((1, 2))
        assert (marked == lung).all() and planted.sum() < 0.02 * case.lung.sum()


def test_a_planted_phantom_is_the_plain_one_but_for_the_shortcut(table, tmp_path):
    planted = write_phantom(tmp_path, patients_per_class=1, sites=1, shortcut='site_mark')
    rows, plain = rows_of(planted), rows_of(table)
    assert rows == plain
    of_shortcut = rows_of(tmp_path / 'shortcuts.csv')
    assert [bool(row['cause']) for row in of_shortcut] == [r['label'] == 'COVID-19' for r in rows]
    for row, marks in zip(rows, of_shortcut, strict=True):
        one, other = (
            nib.load(folder / row['image']).get_fdata() for folder in (tmp_path, table.parent)
        )
        mark = nib.load(tmp_path / marks['cause']).get_fdata() > 0 if marks['cause'] else one < -2e3
        assert row['label'] != 'COVID-19' or mark.any()
        cause = nib.load(tmp_path / row['cause']).get_fdata() > 0 if row['cause'] else mark
        assert (one == other)[~(mark | cause)].all()


def test_another_shortcut_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'glow'"):
        write_phantom(tmp_path, shortcut='glow')
