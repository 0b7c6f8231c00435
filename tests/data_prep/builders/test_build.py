"""From files to a store, by the commands a user types."""

import csv
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import center_of_mass
from skimage.io import imread, imsave

from xaicovid_mm.data_prep.builders import images, volumes
from xaicovid_mm.data_prep.builders.images import prepare_images
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.case_table import SLICE_COLUMNS
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.slicing.grid import SliceGrid, slices_to_file_grid
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.splits.assign import random_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.schema import UNKNOWN
from xaicovid_mm.utils.errors import ScanError, StoreError, TableError

SMALL = SliceSpec(32)


@pytest.fixture(scope='module')
def phantom(tool, tmp_path_factory):
    out = tmp_path_factory.mktemp('phantom')
    tool(['phantom', str(out), '--patients-per-class', '9', '--size', '32', '--workers', '2'])
    return out


def test_the_phantom_becomes_a_store_with_every_role(phantom):
    store = SliceStore(phantom / 'store')
    assert store.size == (32, 32) and {c.label for c in store.cases} == {0, 1, 2}
    for role in ('labelled', 'unlabelled', 'val', 'test'):
        assert len(store.rows('default', role))


def test_a_store_of_phantoms_knows_that_it_is_one(phantom):
    assert SliceStore(phantom / 'store').is_phantom
    table = write_table(phantom / 'one.csv', rows_of(phantom)[:1])
    prepare_volumes(table, phantom / 'one', SMALL)
    assert not SliceStore(phantom / 'one').is_phantom


def test_a_store_holds_no_names_of_scan_files(phantom):
    text = [path.read_text() for path in (phantom / 'store').rglob('case*.json*')]
    assert len(text) > 1 and not any('_image' in part or '.nii' in part for part in text)


def test_both_scans_of_a_patient_have_the_same_role(phantom):
    store = SliceStore(phantom / 'store')
    roles = store.roles('default')
    for case in store.cases:
        twins = [c for c in store.cases if c.patient == case.patient]
        assert len({int(roles[c.first_row]) for c in twins}) == 1
    assert any(c.name.endswith('_1') for c in store.cases)


def test_infection_volume_survives_the_way_into_the_store(phantom):
    store = SliceStore(phantom / 'store')
    for case in [c for c in store.cases if c.label == 2][:3]:
        mask = read_volume(phantom / 'volumes' / f'{case.name}_infection.nii.gz')
        before = (mask.data > 0).sum() * np.prod(mask.spacing_mm)
        rows = store.index[case.first_row : case.first_row + case.rows]
        after = rows['infection_px'].sum() * np.prod(case.spacing_mm)
        assert after == pytest.approx(before, rel=0.35)


def test_class_and_site_are_independent_in_the_phantom(phantom):
    cases = SliceStore(phantom / 'store').cases
    sites = [{c.site for c in cases if c.label == label} for label in range(3)]
    assert sites[0] == sites[1] == sites[2]


def test_table_ii_and_shares_are_split_by_command(tool, phantom):
    root = str(phantom / 'store')
    tool(['split', root, '--name', 'paper', '--labelled-fraction', '0.5', '--labelled-slices', '9'])
    store = SliceStore(root)
    labels = store.index['label'][store.rows('paper', 'labelled')]
    assert (labels == 0).sum() == (labels == 1).sum() == 9 and (labels == 2).sum() > 9


def test_a_labelled_class_that_misses_a_site_is_told(tool, phantom, tmp_path, capsys):
    cases = SliceStore(phantom / 'store').cases
    north = {c.patient for c in cases if c.site == 'north'}
    labelled = [c.patient for c in cases if c.label != 0 or c.patient not in north]
    (tmp_path / 's.json').write_text(json.dumps({'labelled': sorted(set(labelled))}))
    tool(['split', str(phantom / 'store'), '--name', 'bad', '--file', str(tmp_path / 's.json')])
    assert 'no NP from north' in capsys.readouterr().out
    tool(['info', str(phantom / 'store'), '--split', 'default'])
    shown = capsys.readouterr().out
    assert 'no NP' not in shown and 'confounded' not in shown and 'leaks:' not in shown


def test_split_and_info_run(tool, phantom, tmp_path, capsys):
    patients = sorted({c.patient for c in SliceStore(phantom / 'store').cases})
    (tmp_path / 's.json').write_text(json.dumps({'labelled': patients[:2], 'val': patients[2:]}))
    tool(['split', str(phantom / 'store'), '--name', 'mine', '--file', str(tmp_path / 's.json')])
    tool(['info', str(phantom / 'store'), '--split', 'mine'])
    assert 'labelled' in capsys.readouterr().out
    assert len(SliceStore(phantom / 'store').rows('mine', 'val'))


def test_a_missing_store_is_one_line_and_exit_code_2(tool, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        tool(['info', str(tmp_path)])
    assert stop.value.code == 2
    assert 'no slice store' in capsys.readouterr().err


def rows_of(phantom):
    with open(phantom / 'cases.csv', newline='') as file:
        return list(csv.DictReader(file))


def write_table(path, rows):
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_lost_intercept_is_mended_on_request_and_recorded(phantom, tmp_path, tool):
    row = rows_of(phantom)[0]
    file = nib.load(phantom / row['image'])
    shifted = np.asarray(file.dataobj).astype(np.int32) + 1024
    nib.save(nib.Nifti1Image(shifted, file.affine), tmp_path / 'shifted.nii.gz')
    given = dict(image=str(tmp_path / 'shifted.nii.gz'), lung=str(phantom / row['lung']))
    rows = [{**row, **given, 'infection': str(phantom / row['infection'])}]
    table = write_table(tmp_path / 't.csv', rows)
    with pytest.raises(ScanError, match='subtract 1024'):
        prepare_volumes(table, tmp_path / 'store', SMALL)
    command = ['volumes', str(table), str(tmp_path / 'store'), '--size', '32', '--add-hu', '-1024']
    tool(command)
    store = SliceStore(tmp_path / 'store')
    assert store.manifest['parameters']['add_hu'] == -1024
    assert '-1024 HU added to every value' in store.cases[0].notes
    prepare_volumes(write_table(phantom / 'first.csv', [row]), phantom / 'first', SMALL)
    np.testing.assert_array_equal(store.image(3), SliceStore(phantom / 'first').image(3))


def test_a_folder_of_scans_needs_no_table(phantom, tmp_path):
    (tmp_path / 'scans').mkdir()
    for row in rows_of(phantom)[:2]:
        (tmp_path / 'scans' / f'{row["case"]}.nii.gz').symlink_to(phantom / row['image'])
    (tmp_path / 'scans' / 'notes.csv').write_text('not a scan')
    prepare_volumes(tmp_path / 'scans', tmp_path / 'store', SMALL)
    store = SliceStore(tmp_path / 'store')
    names = [row['case'] for row in rows_of(phantom)[:2]]
    assert [case.name for case in store.cases] == [case.patient for case in store.cases] == names
    assert (store.index['infection'] == UNKNOWN).all()
    with pytest.raises(StoreError, match='none of its 2 patients has a class.* --file'):
        random_split(store, 0)


@pytest.mark.parametrize(
    'command', ['volumes', 'images', 'phantom', 'lungs', 'split', 'check', 'info']
)
def test_every_command_explains_itself_by_an_example(tool, command, capsys):
    with pytest.raises(SystemExit) as stop:
        tool([command, '--help'])
    said = capsys.readouterr().out
    assert stop.value.code == 0
    assert f'examples:\npython tools/prepare_data.py {command} ' in said


@pytest.mark.real_data
@pytest.mark.parametrize(
    'folder, names',
    [('volumes_hu', ['P001', 'cap001', 'normal001']), ('dicom/P001_40slices', ['P001_40slices'])],
)
def test_real_scans_become_a_store_by_one_command(tool, folder, names, tmp_path):
    data = Path(os.environ.get('XAICOVID_DATA', '../shared/data'))
    tool(['volumes', str(data / folder), str(tmp_path / 'store'), '--size', '64', '--workers', '2'])
    store = SliceStore(tmp_path / 'store')
    assert [case.name for case in store.cases] == names
    assert len(store) >= 30 * len(names) and (store.index['lung_px'] > 0).all()


def test_unlabelled_cases_need_no_file_but_the_scan(phantom):
    row = {**rows_of(phantom)[-1], 'infection': '', 'lung': '', 'label': ''}
    table = write_table(phantom / 'bare.csv', [row])
    prepare_volumes(table, phantom / 'bare', SMALL)
    store = SliceStore(phantom / 'bare')
    assert store.cases[0].label is None and store.infection(0) is None
    assert store.lung(0).any() and 'lungs by threshold' in store.cases[0].notes


def test_any_number_of_workers_makes_the_same_store(phantom):
    table = write_table(phantom / 'two.csv', rows_of(phantom)[:2])
    for workers in (1, 2):
        prepare_volumes(table, phantom / f'by{workers}', SMALL, workers=workers)
    files = sorted(p.relative_to(phantom / 'by1') for p in (phantom / 'by1').rglob('*.*'))
    assert len(files) == 14
    for file in files:
        assert (phantom / 'by1' / file).read_bytes() == (phantom / 'by2' / file).read_bytes()


@pytest.mark.parametrize('how', [SliceSpec(96), SliceSpec(64, (4.0, 4.0, 4.0), crop_lung=0.05)])
def test_a_stored_mask_comes_back_onto_the_grid_of_its_scan(phantom, how):
    rows = [row for row in rows_of(phantom) if row['label'] == 'COVID-19'][:3]
    prepare_volumes(write_table(phantom / 'back.csv', rows), phantom / 'back', how)
    store = SliceStore(phantom / 'back')
    for number, (row, case) in enumerate(zip(rows, store.cases, strict=True)):
        index = store.index[store.index['case'] == number]
        stack = np.load(store.root / case.folder / 'infection.npy')
        grid, affine = SliceGrid(**case.grid), np.array(case.affine)
        back = slices_to_file_grid(
            stack,
            planes=index['plane'],
            grid=grid,
            affine=affine,
            original_shape=case.original_shape,
        )
        found = back > 0
        true = np.asarray(nib.load(phantom / row['infection']).dataobj) > 0
        assert found.shape == true.shape
        gap = np.subtract(center_of_mass(found), center_of_mass(true))
        assert np.abs(gap).max() < 0.5
        assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.75


def test_a_crop_shows_the_lungs_larger_and_keeps_their_shape(phantom):
    table = write_table(phantom / 'one.csv', rows_of(phantom)[:1])
    prepare_volumes(table, phantom / 'cropped', SliceSpec(64, crop_lung=0.0))
    store = SliceStore(phantom / 'cropped')
    z, y, x = store.cases[0].spacing_mm
    assert y == pytest.approx(x)
    lung = np.load(store.root / store.cases[0].folder / 'lung.npy').any(0)
    assert lung[:, 0].any() and lung[:, -1].any()  # the lungs are wider than deep


KILLED = """
import os, signal, sys
from xaicovid_mm.data_prep.builders import volumes
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store import case_folder
table, root, when = sys.argv[1:]
saves = []
def write(*args):
    saves.append(args)
    if len(saves) == int(when):
        os.kill(os.getpid(), signal.SIGKILL)
    original(*args)
original, case_folder.write_text = case_folder.write_text, write
volumes.prepare_volumes(table, root, SliceSpec(32))
"""


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(phantom, monkeypatch):
    table = write_table(phantom / 'three.csv', rows_of(phantom)[:3])
    prepare_volumes(table, phantom / 'whole', SMALL)
    command = [sys.executable, '-c', KILLED, str(table), str(phantom / 'cut'), '3']
    assert subprocess.run(command).returncode == -signal.SIGKILL
    made = []
    real = volumes.extract_slices
    monkeypatch.setattr(volumes, 'extract_slices', lambda *a, **k: made.append(a) or real(*a, **k))
    prepare_volumes(table, phantom / 'cut', SMALL)
    assert len(made) == 1  # the two that were finished are taken over
    assert bytes_of(phantom / 'cut') == bytes_of(phantom / 'whole')


def bytes_of(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob('*.*') if p.is_file()}


def test_a_case_is_made_again_when_its_files_or_its_parameters_change(phantom, monkeypatch):
    rows = rows_of(phantom)[:2]
    made = []
    real = volumes.extract_slices
    monkeypatch.setattr(volumes, 'extract_slices', lambda *a, **k: made.append(a) or real(*a, **k))
    for changed, how, count in (
        (rows, SMALL, 2),
        (rows, SMALL, 0),
        (rows, SliceSpec(32, min_lung_px=50), 2),
        ([rows[0], {**rows[1], 'lung': ''}], SliceSpec(32, min_lung_px=50), 1),
        ([{**rows[0], 'label': ''}], SliceSpec(32, min_lung_px=50), 1),
    ):
        made.clear()
        prepare_volumes(write_table(phantom / 'some.csv', changed), phantom / 'some', how)
        assert len(made) == count
        folders = sorted(f.name for f in (phantom / 'some' / 'cases').iterdir())
        assert folders == [row['case'] for row in changed]
    assert SliceStore(phantom / 'some').cases[0].label is None


@pytest.mark.parametrize(
    'change, named',
    [
        (dict(case='../up'), 'line 2.*unfit'),
        (dict(case=''), 'line 2: case is empty'),
        (dict(patient=' '), 'line 2: patient is empty'),
        (dict(label='Covix'), "line 2: class 'Covix' in the column label is none of"),
        (dict(image='volumes/gone.nii.gz'), 'line 2: image .*gone.nii.gz is not there'),
        (dict(lung='volumes/gone.nii.gz'), 'line 2: lung .*gone.nii.gz is not there'),
        (dict(case='a\\b'), 'line 2.*unfit'),
    ],
)
def test_a_line_of_the_table_that_is_wrong_is_named(phantom, change, named):
    table = write_table(phantom / 'wrong.csv', [{**rows_of(phantom)[0], **change}])
    with pytest.raises(TableError, match=named):
        prepare_volumes(table, phantom / 'wrong', SMALL)


def test_a_case_that_is_given_twice_is_refused(phantom):
    table = write_table(phantom / 'twice.csv', rows_of(phantom)[:1] * 2)
    with pytest.raises(TableError, match='line 3.*np000_0.*given twice, first in line 2'):
        prepare_volumes(table, phantom / 'twice', SMALL)


def test_a_bad_table_leaves_the_store_that_is_there_alone(phantom):
    rows = rows_of(phantom)[:2]
    prepare_volumes(write_table(phantom / 'good.csv', rows[:1]), phantom / 'stays', SMALL)
    before = bytes_of(phantom / 'stays')
    for change in (dict(image='gone.nii.gz'), dict(label='flu'), dict(case=rows[0]['case'])):
        table = write_table(phantom / 'bad.csv', [rows[0], {**rows[1], **change}])
        with pytest.raises(TableError, match='bad.csv, line 3'):
            prepare_volumes(table, phantom / 'stays', SMALL)
        assert bytes_of(phantom / 'stays') == before


def test_a_scan_of_too_few_slices_is_refused_unless_told(phantom):
    table = write_table(phantom / 'one.csv', rows_of(phantom)[:1])
    depth = len(read_volume(phantom / rows_of(phantom)[0]['image']).data)
    with pytest.raises(ScanError, match=f"'np000_0'.*{depth} slices, fewer than {depth + 1}"):
        prepare_volumes(table, phantom / 'few', SliceSpec(32, min_slices=depth + 1))
    prepare_volumes(table, phantom / 'few', SliceSpec(32, min_slices=depth))


def test_a_bad_row_is_named_from_a_worker_too(phantom):
    (phantom / 'volumes' / 'torn.nii.gz').write_bytes(b'torn')
    rows = [{**row, 'image': 'volumes/torn.nii.gz'} for row in rows_of(phantom)[:2]]
    table = write_table(phantom / 'gone.csv', rows)
    with pytest.raises(ScanError, match='torn.nii.gz'):
        prepare_volumes(table, phantom / 'gone', SMALL, workers=2)


@pytest.mark.parametrize('mm', [4.0, 16.0])
def test_a_stored_slice_names_the_source_slice_at_its_height(phantom, mm):
    table = write_table(phantom / 'one.csv', rows_of(phantom)[:1])
    root = phantom / f'every{mm}'
    prepare_volumes(table, root, SliceSpec(32, (mm, mm, mm), min_lung_px=0))
    store = SliceStore(root)
    thickness = read_volume(phantom / rows_of(phantom)[0]['image']).spacing_mm[0]
    height = (np.arange(len(store)) + 0.5) * store.cases[0].spacing_mm[0]
    source = (store.index['source_slice'] + 0.5) * thickness
    assert np.abs(height - source).max() <= thickness / 2 + 1e-3


def test_resampling_to_a_spacing_changes_the_number_of_slices(phantom):
    row = rows_of(phantom)[0]
    table = write_table(phantom / 'one.csv', [row])
    for mm in (8.0, 4.0):
        prepare_volumes(table, phantom / f'at{mm}', SliceSpec(32, (mm, mm, mm)))
    coarse, fine = (SliceStore(phantom / f'at{mm}') for mm in (8.0, 4.0))
    assert fine.cases[0].spacing_mm[0] == pytest.approx(4.0, rel=0.05)
    assert len(fine) == pytest.approx(2 * len(coarse), abs=3)


@pytest.mark.parametrize(
    'change, error, named',
    [
        (dict(label='flu'), TableError, 'flu'),
        (dict(image='volumes/none.nii.gz'), TableError, 'none.nii.gz'),
        (dict(lung='volumes/covid001_0_lung.nii.gz'), ScanError, 'covid001_0_lung.nii.gz'),
    ],
)
def test_a_row_that_is_wrong_is_named(phantom, change, error, named):
    table = write_table(phantom / 'wrong.csv', [{**rows_of(phantom)[0], **change}])
    with pytest.raises(error, match=named):
        prepare_volumes(table, phantom / 'wrong', SMALL)
    with pytest.raises(StoreError):
        SliceStore(phantom / 'wrong')


def test_a_table_without_a_column_names_it(tmp_path):
    table = write_table(tmp_path / 't.csv', [dict(case='a', patient='b')])
    for prepare in (prepare_volumes, prepare_images):
        with pytest.raises(TableError, match='lacks the columns?.*image'):
            prepare(table, tmp_path / 'store')


def slice_files(folder, size=40, colour=False):
    lung = np.zeros((size, size), np.uint8)
    lung[8:30, 4:16] = lung[8:30, 22:34] = 255
    image = np.where(lung > 0, 70, 160).astype(np.uint8)
    image[10:14, 6:10] = 140
    infection = np.zeros_like(lung)
    infection[10:14, 6:10] = 255
    if colour:
        image = np.stack([image, image // 2, image], -1)
    for name, array in (('i', image), ('l', lung), ('m', infection)):
        imsave(folder / f'{name}.png', array, check_contrast=False)
    return dict(
        zip(SLICE_COLUMNS, ('c', 'p', '0', 'i.png', 'm.png', 'l.png', 'COVID-19', 's'), strict=True)
    )


def test_images_keep_their_masks_aligned_when_cropped_to_the_lungs(tmp_path):
    table = write_table(tmp_path / 't.csv', [slice_files(tmp_path)])
    prepare_images(table, tmp_path / 'store', 64, crop_lung=0.05)
    store = SliceStore(tmp_path / 'store')
    bright = (store.image(0) > 120) & store.lung(0)
    assert (bright & (store.infection(0) > 0)).sum() > 0.85 * bright.sum()
    columns = np.flatnonzero(store.lung(0).any(0))
    assert columns[0] < 6 and columns[-1] > 57  # the lungs fill the slice


def test_images_bring_the_cause_of_their_class(tmp_path):
    row = slice_files(tmp_path) | dict(label='CAP', infection='')
    prepare_images(write_table(tmp_path / 'bare.csv', [row]), tmp_path / 'bare', 40)
    table = write_table(tmp_path / 't.csv', [row | dict(cause='m.png')])
    prepare_images(table, tmp_path / 'store', 40)
    store, bare = SliceStore(tmp_path / 'store'), SliceStore(tmp_path / 'bare')
    cause = store.cause(0)
    assert store.cases[0].has_cause and cause[10:14, 6:10].all() and cause.sum() == 16
    assert not bare.cases[0].has_cause and bare.cause(0) is None
    np.testing.assert_array_equal(store.image(0), bare.image(0))
    table = write_table(
        tmp_path / 't.csv', [row | dict(cause=''), row | dict(cause='m.png', slice='1')]
    )
    with pytest.raises(TableError, match='1 of 2 slices have a mask in the column cause'):
        prepare_images(table, tmp_path / 'half', 40)


def test_without_cropping_the_whole_field_of_view_stays(tmp_path):
    table = write_table(tmp_path / 't.csv', [slice_files(tmp_path)])
    prepare_images(table, tmp_path / 'store', 40)
    assert SliceStore(tmp_path / 'store').lung(0).sum() == 2 * 22 * 12


def test_a_lesion_outside_the_lungs_does_not_show_in_the_input_and_is_told(tmp_path):
    row, beside = slice_files(tmp_path), np.zeros((40, 40), np.uint8)
    beside[10:14, 6:10] = beside[32:36, 6:10] = 255  # half of it below the lungs
    imsave(tmp_path / 'm.png', beside, check_contrast=False)
    table = write_table(tmp_path / 't.csv', [row])
    prepare_images(table, tmp_path / 'told', 40, crop_lung=0.05)
    write_table(table, [row | dict(infection='')])
    prepare_images(table, tmp_path / 'blind', 40, crop_lung=0.05)
    told, blind = SliceStore(tmp_path / 'told'), SliceStore(tmp_path / 'blind')
    np.testing.assert_array_equal(told.image(0), blind.image(0))
    np.testing.assert_array_equal(told.lung(0), blind.lung(0))
    assert (told.infection(0).astype(bool) & ~told.lung(0)).any()
    assert any('50.0% of infection lie outside of lung' in note for note in told.cases[0].notes)


def test_the_least_lung_of_images_is_counted_in_stored_pixels(tmp_path):
    table = write_table(tmp_path / 't.csv', [slice_files(tmp_path)])  # 528 px of lung at size 40
    prepare_images(table, tmp_path / 'store', 20, min_lung_px=132)
    assert SliceStore(tmp_path / 'store').index['lung_px'].tolist() == [132]
    with pytest.raises(ScanError, match="'c': no slice has 133 px of lung"):
        prepare_images(table, tmp_path / 'store', 20, min_lung_px=133)


def test_colour_images_are_refused(tmp_path):
    table = write_table(tmp_path / 't.csv', [slice_files(tmp_path, colour=True)])
    with pytest.raises(ScanError, match='i.png.*grey'):
        prepare_images(table, tmp_path / 'store', 40)


def test_contrast_is_equalised_at_the_named_site_only_and_recorded(tmp_path):
    rows = [slice_files(tmp_path), {**slice_files(tmp_path), 'case': 'd', 'site': 'other'}]
    table = write_table(tmp_path / 't.csv', rows)
    prepare_images(table, tmp_path / 'store', 40, clahe_sites=('other',), clahe_clip=0.02)
    store = SliceStore(tmp_path / 'store')
    plain, equalised = (store.display(row) for row in (0, 1))
    np.testing.assert_allclose(plain, imread(tmp_path / 'i.png') / 255, atol=1e-6)
    assert np.abs(plain - equalised).max() > 0.05
    assert [len(c.notes) for c in store.cases] == [0, 1] and '0.02' in store.cases[1].notes[0]


@pytest.mark.parametrize(
    'change, settings, error, named',
    [
        (dict(lung=''), dict(crop_lung=0.1), TableError, "'c'.*no lung masks"),
        (dict(slice='x'), {}, TableError, "'c'.*'x'"),
        (dict(site='s'), dict(clahe_sites=('t',)), TableError, "no site \\['t'\\]"),
        (dict(image='none.png'), {}, TableError, 'none.png'),
        (dict(image='inverted.png'), {}, ScanError, "'c': the lungs are brighter.*255 - v"),
        (dict(lung='empty.png'), dict(crop_lung=0.1), TableError, "'c' has no pixel of lung"),
        (dict(lung='small.png'), {}, ScanError, r"small.png is \(9, 9\), 'i.png' is \(40, 40\)"),
    ],
)
def test_a_slice_row_that_is_wrong_is_named(tmp_path, change, settings, error, named):
    row = slice_files(tmp_path)
    imsave(tmp_path / 'small.png', np.zeros((9, 9), np.uint8), check_contrast=False)
    imsave(tmp_path / 'empty.png', np.zeros((40, 40), np.uint8), check_contrast=False)
    imsave(tmp_path / 'inverted.png', 255 - imread(tmp_path / 'i.png'), check_contrast=False)
    table = write_table(tmp_path / 't.csv', [{**row, **change}])
    with pytest.raises(error, match=named):
        prepare_images(table, tmp_path / 'store', 40, **settings)


@pytest.mark.parametrize(
    'second, error, named',
    [
        (dict(), TableError, 'given twice'),
        (dict(slice='1', image='small.png'), ScanError, 'of each size'),
    ],
)
def test_two_slices_that_disagree_are_named(tmp_path, second, error, named):
    imsave(tmp_path / 'small.png', np.zeros((9, 9), np.uint8), check_contrast=False)
    row = slice_files(tmp_path)
    table = write_table(tmp_path / 't.csv', [row, {**row, **second}])
    with pytest.raises(error, match=named):
        prepare_images(table, tmp_path / 'store', 40)


@pytest.fixture
def benchmark_ct(monkeypatch):
    """A converter, its helper found as if it were run from the command line."""
    monkeypatch.syspath_prepend('tools/dataset_converters')
    return runpy.run_path('tools/dataset_converters/benchmark_ct.py')['main']


@pytest.mark.real_data
def test_the_benchmark_slices_become_a_store_with_the_written_split(tmp_path, benchmark_ct):
    folder = os.environ.get('XAICOVID_DATA', '../shared/data')
    benchmark_ct([str(Path(folder).resolve()), str(tmp_path)])
    split = json.loads((tmp_path / 'split.json').read_text())
    assert {'coronacases_007', 'radiopaedia_36'} <= set(split['val'])
    assert [len(split[r]) for r in ('labelled', 'unlabelled', 'val')] == [64, 44, 36]
    rows = list(csv.DictReader(open(tmp_path / 'slices.csv', newline='')))
    few = [r for r in rows if r['patient'] in ('coronacases_007', 'ID_0004')]
    prepare_images(write_table(tmp_path / 'few.csv', few), tmp_path / 'store', 64, crop_lung=0.03)
    store = SliceStore(tmp_path / 'store')
    assert all(store.infection(i) is not None for i in range(len(store)))


def test_a_folder_without_the_benchmark_is_one_line(tmp_path, capsys, benchmark_ct):
    with pytest.raises(SystemExit):
        benchmark_ct([str(tmp_path), str(tmp_path / 'out')])
    assert 'manifest.csv is not there: give the folder that holds' in capsys.readouterr().err


def three_image_cases(folder):
    rows = []
    for name in 'abc':
        (folder / name).mkdir(exist_ok=True)
        row = {**slice_files(folder / name), 'case': name}
        rows.append({k: f'{name}/{v}' if v.endswith('.png') else v for k, v in row.items()})
    return write_table(folder / 'three.csv', rows), rows


def test_any_number_of_workers_makes_the_same_store_of_images(tmp_path):
    row = slice_files(tmp_path)
    table = write_table(tmp_path / 't.csv', [row | dict(case=name) for name in 'abc'])
    for workers in (1, 2):
        prepare_images(table, tmp_path / str(workers), 32, workers=workers)
    assert bytes_of(tmp_path / '1') == bytes_of(tmp_path / '2')


def test_killed_images_go_on_and_end_in_the_same_bytes(tmp_path, monkeypatch):
    table, _ = three_image_cases(tmp_path)
    prepare_images(table, tmp_path / 'whole', 32)
    script = KILLED.replace('volumes.prepare_volumes(table, root, SliceSpec(32))', KILLED_IMAGES)
    command = [sys.executable, '-c', script, str(table), str(tmp_path / 'cut'), '3']
    assert subprocess.run(command).returncode == -signal.SIGKILL
    made = []
    real = images.read_stack
    monkeypatch.setattr(images, 'read_stack', lambda *a, **k: made.append(a) or real(*a, **k))
    prepare_images(table, tmp_path / 'cut', 32)
    assert len(made) == 1  # the two that were finished are taken over
    assert bytes_of(tmp_path / 'cut') == bytes_of(tmp_path / 'whole')


KILLED_IMAGES = """
from xaicovid_mm.data_prep.builders.images import prepare_images
prepare_images(table, root, 32)
"""


def test_an_image_case_is_made_again_when_what_it_depends_on_changes(tmp_path, monkeypatch):
    table, rows = three_image_cases(tmp_path)
    made = []
    real = images.read_stack
    monkeypatch.setattr(images, 'read_stack', lambda *a, **k: made.append(a) or real(*a, **k))
    for change, settings, count in (
        ({}, {}, 3),
        ({}, {}, 0),
        ({}, dict(crop_lung=0.1), 3),
        (dict(lung=''), {}, 3),
        (dict(lung='', patient='q'), {}, 1),
    ):
        write_table(table, [{**rows[0], **change}, *rows[1:]])
        made.clear()
        prepare_images(table, tmp_path / 'store', 32, **settings)
        assert len(made) == count


@pytest.mark.parametrize('numbers', [('1', '01'), ('1', '1'), ('1', 'x')])
def test_a_slice_number_given_twice_in_any_spelling_is_refused(tmp_path, numbers):
    rows = [dict.fromkeys(SLICE_COLUMNS, '') | dict(slice=number) for number in numbers]
    with open(tmp_path / 't.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, SLICE_COLUMNS)
        writer.writeheader()
        for place, row in enumerate(rows):
            (tmp_path / f'{place}.png').touch()
            writer.writerow(row | dict(case='a', patient='p', image=f'{place}.png'))
    with pytest.raises(TableError, match=r"case 'a': slices .* given twice or are no whole"):
        prepare_images(tmp_path / 't.csv', tmp_path / 'store')
