"""Lung masks as files."""

import csv
import itertools
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, ornt_transform

from xaicovid_mm.apis.lungs.methods import lung_method
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.mask_file import LungMethod
from xaicovid_mm.data_prep.lungs.prepare import prepare_lungs
from xaicovid_mm.data_prep.orientation import from_upright
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.volume import check_same_grid
from xaicovid_mm.utils.errors import DataError

ORIENTATIONS = [
    codes
    for order in itertools.permutations(('LR', 'PA', 'SI'))
    for codes in itertools.product(*order)
]


def save(path, data, codes=('L', 'P', 'S')):
    image = nib.Nifti1Image(data.transpose(2, 1, 0), np.diag([-3.0, -3, 20, 1]))
    turn = ornt_transform(axcodes2ornt(('L', 'P', 'S')), axcodes2ornt(codes))
    nib.save(image.as_reoriented(turn), path)


def chest(lungs=2):
    hu = np.full((6, 40, 60), -1000, np.int16)
    hu[:, 2:38, 2:58] = 40
    hu[:, 8:32, 8:26] = -850
    if lungs == 2:
        hu[:, 8:32, 34:52] = -850
    return hu


class Counting:
    """The air in a chest, and how often it was asked for."""

    def __init__(self):
        self.calls = 0

    def __call__(self, scan, spacing_mm):
        self.calls += 1
        return scan == -850


@pytest.fixture
def table(tmp_path):
    """Two sound scans, and one whose left lung is consolidated."""
    rows = []
    for name, lungs in (('a', 2), ('b', 2), ('sick', 1)):
        save(tmp_path / f'{name}.nii.gz', chest(lungs), ('R', 'A', 'S'))
        row = dict(case=name, patient=name, image=f'{name}.nii.gz', infection='', lung='')
        rows.append(row | dict(label='NP', site='s'))
    return write(tmp_path / 'cases.csv', rows)


def write(path, rows):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def method(find=None, **settings):
    return LungMethod(find or Counting(), 'air', **settings)


@pytest.mark.parametrize('codes', ORIENTATIONS, ids=''.join)
def test_a_mask_lies_on_its_scan_in_every_orientation(tmp_path, codes):
    hu = chest()
    hu[2, 10, 12] = 500
    save(tmp_path / 'v.nii.gz', hu, codes)
    scan = read_volume(tmp_path / 'v.nii.gz')
    image = nib.load(tmp_path / 'v.nii.gz')
    np.testing.assert_array_equal(
        from_upright(scan.data, scan.affine), np.asanyarray(image.dataobj)
    )


def test_masks_come_back_on_the_grid_of_the_scan(table, tmp_path):
    prepare_lungs(table, tmp_path / 'out', method())
    mask, scan = read_volume(tmp_path / 'out/masks/a.nii.gz'), read_volume(tmp_path / 'a.nii.gz')
    check_same_grid('a', scan, 'mask', mask)
    np.testing.assert_array_equal(mask.data > 0, chest() == -850)


def test_a_flagged_case_is_listed_and_not_passed_on(table, tmp_path):
    kept, flagged = prepare_lungs(table, tmp_path / 'out', method())
    assert [r['case'] for r in read(tmp_path / 'out/cases.csv')] == ['a', 'b']
    (row,) = read(tmp_path / 'out/flagged.csv')
    assert row['case'] == 'sick' and row['flags'].startswith('one lung: the left one has 0.00')
    assert ([r['case'] for r in kept], [r['case'] for r in flagged]) == (['a', 'b'], ['sick'])


def test_a_flagged_case_is_passed_on_when_asked_for(table, tmp_path):
    prepare_lungs(table, tmp_path / 'out', method(), keep_flagged=True)
    rows = read(tmp_path / 'out/cases.csv')
    assert [bool(row['flags']) for row in rows] == [False, False, True]
    assert len(read(tmp_path / 'out/flagged.csv')) == 1


def test_prepare_volumes_takes_the_table(table, tmp_path):
    prepare_lungs(table, tmp_path / 'out', method())
    prepare_volumes(tmp_path / 'out/cases.csv', tmp_path / 'store', SliceSpec(32))
    for case in SliceStore(tmp_path / 'store').cases:
        assert case.notes[-1] == '0 of 6 slices left out: little lung'
        assert 'lungs by threshold' not in case.notes


def test_prepare_volumes_notes_what_is_odd_about_lungs_it_had_to_find(table, tmp_path):
    prepare_volumes(table, tmp_path / 'store', SliceSpec(32))
    notes = {case.name: case.notes for case in SliceStore(tmp_path / 'store').cases}
    assert notes['a'][0] == 'lungs by threshold'
    assert notes['a'][-1] == '0 of 6 slices left out: little lung'
    assert any('one lung: the left one has 0.00' in note for note in notes['sick'])


def test_nothing_is_left_behind_when_the_disk_refuses(table, tmp_path, monkeypatch):
    def refuse(image, path):
        path.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(nib, 'save', refuse)
    with pytest.raises(OSError, match='disk full'):
        prepare_lungs(table, tmp_path / 'out', method())
    assert [path.name for path in (tmp_path / 'out').rglob('*')] == ['masks']


def test_a_mask_that_is_given_stays(table, tmp_path):
    rows = read(table)
    save(tmp_path / 'given.nii.gz', (chest() == 40).astype(np.uint8))
    rows[0]['lung'] = 'given.nii.gz'
    find = Counting()
    prepare_lungs(write(table, rows), tmp_path / 'out', method(find))
    first = read(tmp_path / 'out/cases.csv')[0]
    assert (tmp_path / 'out' / first['lung']).resolve() == tmp_path / 'given.nii.gz'
    assert find.calls == 2 and first['flags'] == ''


def test_a_second_run_redoes_nothing_and_says_the_same(table, tmp_path):
    first = prepare_lungs(table, tmp_path / 'out', method())
    find = Counting()
    assert prepare_lungs(table, tmp_path / 'out', method(find)) == first
    assert find.calls == 0


def test_a_run_that_was_cut_goes_on_where_it_stopped(table, tmp_path):
    class Cut(Counting):
        def __call__(self, scan, spacing_mm):
            if self.calls == 1:
                raise KeyboardInterrupt
            return super().__call__(scan, spacing_mm)

    with pytest.raises(KeyboardInterrupt):
        prepare_lungs(table, tmp_path / 'out', method(Cut()))
    assert not (tmp_path / 'out/cases.csv').exists()
    find = Counting()
    prepare_lungs(table, tmp_path / 'out', method(find))
    assert find.calls == 2 and len(read(tmp_path / 'out/cases.csv')) == 2


def test_a_scan_or_method_that_changed_is_done_again(table, tmp_path):
    prepare_lungs(table, tmp_path / 'out', method())
    save(tmp_path / 'a.nii.gz', chest() + np.int16(1) * (chest() == 40))
    find = Counting()
    prepare_lungs(table, tmp_path / 'out', method(find))
    assert find.calls == 1
    prepare_lungs(table, tmp_path / 'out', method(find, sha256=('other weights',)))
    assert find.calls == 4


def test_masks_of_other_code_of_the_threshold_are_made_again(table, tmp_path):
    threshold = lung_method('threshold')
    prepare_lungs(table, tmp_path / 'out', threshold)
    record = json.loads((tmp_path / 'out/masks/a.json').read_text())
    assert len(record['method_sha256']) == 4
    find = Counting()
    prepare_lungs(table, tmp_path / 'out', replace(threshold, find=find))
    assert find.calls == 0
    older = replace(threshold, find=find, sha256=('0' * 64, *threshold.sha256[1:]))
    prepare_lungs(table, tmp_path / 'out', older)
    assert find.calls == 3


def test_the_columns_cause_and_series_are_passed_on(table, tmp_path):
    rows = [row | dict(cause='', series='') for row in read(table)]
    save(tmp_path / 'cause.nii.gz', (chest() == -850).astype(np.uint8))
    rows[0]['cause'] = 'cause.nii.gz'
    prepare_lungs(write(table, rows), tmp_path / 'out', method())
    first, second = read(tmp_path / 'out/cases.csv')
    assert (tmp_path / 'out' / first['cause']).resolve() == tmp_path / 'cause.nii.gz'
    assert second['cause'] == second['series'] == ''


def test_display_values_are_refused_unless_the_method_takes_them(table, tmp_path):
    shown = np.where(chest() == -850, 60, 200).astype(np.uint8)
    save(tmp_path / 'a.nii.gz', shown)
    with pytest.raises(DataError, match='a.nii.gz: values from 60 to 200 are a display window'):
        prepare_lungs(table, tmp_path / 'out', method())
    dark = method(lambda scan, spacing_mm: (scan == 60) | (scan == -850), intensity='display')
    prepare_lungs(table, tmp_path / 'out', dark)
    assert read_volume(tmp_path / 'out/masks/a.nii.gz').data.sum() == (shown == 60).sum()


@pytest.mark.parametrize('name', ['', '../a', '.a', 'a/b'])
def test_a_case_name_that_is_no_file_name_is_refused(table, tmp_path, name):
    rows = read(table)
    rows[0]['case'] = name
    with pytest.raises(DataError, match='line 2: case'):
        prepare_lungs(write(table, rows), tmp_path / 'out', method())
    assert not (tmp_path / 'out').exists()


def test_a_case_that_is_given_twice_is_refused(table, tmp_path):
    rows = read(table)
    rows[1]['case'] = 'a'
    with pytest.raises(DataError, match="'a'.* given twice"):
        prepare_lungs(write(table, rows), tmp_path / 'out', method())


def test_the_table_itself_is_never_replaced(table):
    before = table.read_bytes()
    with pytest.raises(DataError, match='would replace the table'):
        prepare_lungs(table, table.parent, method())
    assert table.read_bytes() == before


def test_any_number_of_workers_finds_the_same_lungs(table, tmp_path):
    one = prepare_lungs(table, tmp_path / 'one', lung_method('threshold'))
    two = prepare_lungs(table, tmp_path / 'two', lung_method('threshold'), workers=2)
    assert one == two
    for path in (tmp_path / 'one/masks').iterdir():
        assert path.read_bytes() == (tmp_path / 'two/masks' / path.name).read_bytes()


def test_a_folder_of_scans_gets_lungs_too(table, tmp_path):
    table.unlink()
    kept, flagged = prepare_lungs(tmp_path, tmp_path / 'out', method())
    assert [row['case'] for row in (*kept, *flagged)] == ['a', 'b', 'sick']
    prepare_volumes(tmp_path / 'out/cases.csv', tmp_path / 'store', SliceSpec(32))
