"""Converters of layouts that several programs share, on tiny trees: nnU-Net, MONAI, BIDS."""

import json
import os
import runpy

import nibabel as nib
import numpy as np
import pytest

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.case_table import COLUMNS, check_unique, read_table
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import DataError, ScanError, TableError

FOLDER = 'tools/dataset_converters'


@pytest.fixture
def tool(monkeypatch):
    """A function of a converter, its helpers found as if it were run from the command line."""
    monkeypatch.syspath_prepend(FOLDER)
    return lambda name, what='convert': runpy.run_path(f'{FOLDER}/{name}.py')[what]


def lungs_and_infection():
    """Right lung 3, left lung 4, infection 7."""
    labels = np.zeros((16, 16, 6), np.uint8)
    labels[3:13, 3:7], labels[3:13, 9:13] = 3, 4
    labels[4:8, 4:6, 2] = 7
    return labels


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([-2.0, -2, 2, 1])), path)
    return path


def scan():
    hu = np.where(lungs_and_infection() > 0, -800, 40).astype(np.int16)
    hu += np.random.default_rng(0).integers(-20, 20, hu.shape, np.int16)
    hu[0, 0] = -1000
    return hu


def rows_of(out):
    rows = read_table(out / 'cases.csv', COLUMNS)  # it looks for every file
    check_unique(out / 'cases.csv', rows)
    return rows


def file_of(row, column, out):
    return (out / row[column]).resolve()


def refused(convert, source, out, *named, error=TableError, **options):
    options = dict(wanted={}) | options if 'ends' not in options else options
    with pytest.raises(error) as caught:
        convert(source, out, **options)
    assert all(part in str(caught.value) for part in named), caught.value
    assert not out.exists()


# nnU-Net

ABOUT = dict(
    channel_names={'0': 'CT'},
    labels=dict(background=0, right=3, left=4, infection=7, lungs=[3, 4, 7]),
    file_ending='.nii.gz',
)
WANTED = dict(infection=['infection'], lung=['right', '4', 'infection'])


@pytest.fixture
def nnunet(tmp_path):
    folder = tmp_path / 'Dataset007_Chest'
    for case in ('p1_0', 'p1_1', 'p2_0'):
        write(folder / f'imagesTr/{case}_0000.nii.gz', scan())
        write(folder / f'labelsTr/{case}.nii.gz', lungs_and_infection())
    write(folder / 'imagesTs/p3_0_0000.nii.gz', scan())
    (folder / 'dataset.json').write_text(json.dumps(ABOUT))
    return folder


def about(folder, **changes):
    (folder / 'dataset.json').write_text(json.dumps(ABOUT | changes))


def test_cases_of_nnunet_have_their_files_and_the_values_of_their_labels(nnunet, tmp_path, tool):
    out = tmp_path / 'out'
    lines = tool('from_nnunet')(nnunet, out, WANTED)
    assert any('--infection-values 7 --lung-values 3 4 7' in line for line in lines)
    assert any('1 scans of imagesTs' in line for line in lines)
    rows = rows_of(out)
    assert [row['case'] for row in rows] == ['p1_0', 'p1_1', 'p2_0']
    for row in rows:
        assert file_of(row, 'image', out) == nnunet / f'imagesTr/{row["case"]}_0000.nii.gz'
        for column in ('infection', 'lung'):
            assert file_of(row, column, out) == nnunet / f'labelsTr/{row["case"]}.nii.gz'


def test_what_dataset_json_says_and_is_not_found_is_told(nnunet, tmp_path, tool):
    assert not any(
        'warning' in line for line in tool('from_nnunet')(nnunet, tmp_path / 'a', WANTED)
    )
    about(nnunet, numTraining=5, channel_names={'0': 'T1'})
    told = [s for s in tool('from_nnunet')(nnunet, tmp_path / 'b', WANTED) if 'warning' in s]
    assert len(told) == 2
    assert 'numTraining 5, 3 cases were found' in told[0] and 'called T1, not CT' in told[1]


def test_the_command_line_knows_class_site_patients_and_test_scans(nnunet, tmp_path, tool, capsys):
    given = ['--lung', 'lungs', '--class', 'COVID-19', '--site', 'here', '--patient', r'(.+)_\d+']
    tool('from_nnunet', 'main')([str(nnunet), str(tmp_path / 'out'), *given, '--with-test'])
    said = capsys.readouterr().out
    assert '4 scans of 3 patients, 0 with infection, 3 with lung' in said
    rows = rows_of(tmp_path / 'out')
    assert [row['patient'] for row in rows] == ['p1', 'p1', 'p2', 'p3']
    assert {(row['label'], row['site'], row['infection']) for row in rows} == {
        ('COVID-19', 'here', '')
    }
    assert [bool(row['lung']) for row in rows] == [True, True, True, False]


def test_label_maps_of_nnunet_become_a_store(nnunet, tmp_path, tool):
    tool('from_nnunet')(nnunet, tmp_path / 'out', WANTED)
    prepare_volumes(
        tmp_path / 'out/cases.csv',
        tmp_path / 'store',
        SliceSpec(16, min_lung_px=1),
        accept=['no lungs'],
        mask_values=dict(infection=(7,), lung=(3, 4, 7)),
    )
    store = SliceStore(tmp_path / 'store')
    assert sum(store.infection(i).sum() for i in range(len(store))) == 3 * 8
    assert (store.lung(2) > 0).sum() == 80


def test_files_that_dataset_json_lists_take_the_place_of_folders(nnunet, tmp_path, tool):
    image, mask = 'imagesTr/p1_0_0000.nii.gz', 'labelsTr/p1_0.nii.gz'
    about(nnunet, dataset=dict(one=dict(images=[image], label=mask)))
    tool('from_nnunet')(nnunet, tmp_path / 'out', WANTED)
    (row,) = rows_of(tmp_path / 'out')
    assert row['case'] == 'one' and file_of(row, 'lung', tmp_path / 'out') == nnunet / mask


@pytest.mark.parametrize('path', ['/etc/hostname', '../elsewhere.nii.gz'])
def test_a_path_that_leads_out_of_the_data_set_is_refused(path, nnunet, tmp_path, tool):
    about(nnunet, dataset=dict(one=dict(images=[path], label='labelsTr/p1_0.nii.gz')))
    refused(tool('from_nnunet'), nnunet, tmp_path / 'out', path, 'outside', 'case one')


@pytest.mark.parametrize('folder, other', [('imagesTr', 'labelsTr'), ('labelsTr', 'imagesTr')])
def test_an_image_without_label_and_a_label_without_image_are_named(
    folder, other, nnunet, tmp_path, tool
):
    next((nnunet / folder).glob('p2_0*')).unlink()
    refused(tool('from_nnunet'), nnunet, tmp_path / 'out', folder, 'p2_0', error=ScanError)


def test_a_value_that_dataset_json_does_not_know_is_refused_with_its_file(nnunet, tmp_path, tool):
    labels = lungs_and_infection()
    labels[0, 0, 0] = 9
    write(nnunet / 'labelsTr/p2_0.nii.gz', labels)
    convert = tool('from_nnunet')
    with pytest.raises(ScanError, match=r'p2_0.nii.gz has the values 9, .*knows \[0, 3, 4, 7\]'):
        convert(nnunet, tmp_path / 'out', WANTED)
    convert(nnunet, tmp_path / 'out', {})  # without masks no label map is read


@pytest.mark.parametrize('label', ['lesion', '5', 'background', '0'])
def test_a_label_that_does_not_exist_or_is_background_is_refused(label, nnunet, tmp_path, tool):
    wanted = dict(infection=[label])
    refused(tool('from_nnunet'), nnunet, tmp_path / 'out', label, 'infection', wanted=wanted)


@pytest.mark.parametrize(
    'changes, named',
    [
        (dict(channel_names={'0': 'T1', '1': 'T2'}), 'T2'),
        (dict(file_ending='.png'), 'slice table'),
        (dict(labels={'0': 'background'}), 'whole numbers'),
        (dict(labels=None), 'from_monai'),
        (dict(channel_names=['CT']), "channel_names ['CT']"),
        (dict(dataset=[]), 'dataset is a list'),
        (dict(dataset=dict(one='a.nii.gz')), 'case one'),
        (dict(dataset=dict(one=dict(images='imagesTr/p1_0_0000.nii.gz'))), 'case one'),
        (dict(dataset=dict(one=dict(images=['imagesTr/p1_0_0000.nii.gz']))), 'None is no path'),
    ],
)
def test_a_dataset_json_of_another_kind_is_refused(changes, named, nnunet, tmp_path, tool):
    about(nnunet, **changes)
    refused(tool('from_nnunet'), nnunet, tmp_path / 'out', 'dataset.json', named)


def test_of_several_channels_that_called_ct_is_taken(nnunet, tmp_path, tool):
    about(nnunet, channel_names={'0': 'PET', '1': 'CT'})
    for path in [*(nnunet / 'imagesTr').iterdir()]:
        path.rename(path.with_name(path.name.replace('_0000', '_0001')))
    tool('from_nnunet')(nnunet, tmp_path / 'out', {})
    assert len(rows_of(tmp_path / 'out')) == 3


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_a_dataset_json_with_a_mark_is_read(encoding, nnunet, tmp_path, tool):
    (nnunet / 'dataset.json').write_text(json.dumps(ABOUT), encoding=encoding)
    tool('from_nnunet')(nnunet, tmp_path / 'out', {})
    assert len(rows_of(tmp_path / 'out')) == 3


# MONAI

LISTED = dict(
    labels={'0': 'background', '3': 'right', '4': 'left', '7': 'infection'},
    training=[
        dict(image='./a/ct.nii.gz', label='./a/mask.nii.gz', fold=0),
        dict(image=['b/ct.nii.gz'], label='b/mask.nii.gz', fold=1),
        dict(image='c/ct.nii.gz'),
    ],
    test=['d/ct.nii.gz'],
)


@pytest.fixture
def datalist(tmp_path):
    for case in 'abcd':
        write(tmp_path / f'set/{case}/ct.nii.gz', scan())
        write(tmp_path / f'set/{case}/mask.nii.gz', lungs_and_infection())
    path = tmp_path / 'set/datalist.json'
    path.write_text(json.dumps(LISTED))
    return path


def test_the_files_of_a_datalist_are_those_that_monai_loads(datalist, tmp_path, tool):
    monai_data = pytest.importorskip('monai.data')
    out = tmp_path / 'out'
    tool('from_monai')(datalist, out, WANTED)
    rows = rows_of(out)
    assert [row['case'] for row in rows] == ['a_ct', 'b_ct', 'c_ct', 'd_ct']
    assert [(row['section'], row['fold']) for row in rows] == [
        ('training', '0'), ('training', '1'), ('training', ''), ('test', '')
    ]  # fmt: skip
    theirs = monai_data.load_decathlon_datalist(datalist, data_list_key='training')
    theirs += monai_data.load_decathlon_datalist(datalist, data_list_key='test')
    for row, item in zip(rows, theirs, strict=True):
        image = item['image'] if isinstance(item['image'], str) else item['image'][0]
        assert file_of(row, 'image', out) == datalist.parent.joinpath(image).resolve()
        mask = datalist.parent.joinpath(item['label']).resolve() if 'label' in item else None
        assert (file_of(row, 'lung', out) if row['lung'] else None) == mask


def test_names_of_files_are_the_cases_where_they_differ(datalist, tmp_path, tool):
    (datalist.parent / 'a/ct.nii.gz').rename(datalist.parent / 'a/scan7.nii.gz')
    datalist.write_text(json.dumps(dict(training=[dict(image='a/scan7.nii.gz')])))
    tool('from_monai')(datalist, tmp_path / 'out', {})
    assert [row['case'] for row in rows_of(tmp_path / 'out')] == ['scan7']


def test_without_names_of_labels_numbers_are_taken_and_names_are_refused(datalist, tmp_path, tool):
    datalist.write_text(json.dumps(dict(training=LISTED['training'])))
    convert = tool('from_monai')
    wanted = dict(lung=['left'])
    refused(convert, datalist, tmp_path / 'out', 'left', 'numbers', wanted=wanted)
    lines = convert(datalist, tmp_path / 'out', dict(lung=['3', '4', '7']))
    assert any('--lung-values 3 4 7' in line for line in lines)


@pytest.mark.parametrize(
    'entry, named',
    [
        (dict(image='/etc/hostname'), 'outside'),
        (dict(image='a/../../x.nii.gz'), 'outside'),
        (dict(image='e/ct.nii.gz'), 'not there'),
        (dict(image='a/ct.nii.gz'), 'again, after'),
        (dict(image=['b/ct.nii.gz', 'c/ct.nii.gz']), '2 files'),
        (dict(image='e.nii.gz', label=2), 'not there'),
        (dict(image=None), 'no path'),
    ],
)
def test_a_wrong_entry_of_a_datalist_is_named(entry, named, datalist, tmp_path, tool):
    datalist.write_text(json.dumps(LISTED | dict(validation=[entry])))
    refused(tool('from_monai'), datalist, tmp_path / 'out', 'validation[0]', named)


@pytest.mark.parametrize('section', ['unlabeled', 'validation', 'more'])
def test_plain_paths_of_any_section_are_cases_without_masks(section, datalist, tmp_path, tool):
    listed = dict(training=LISTED['training'], modality=['CT'], labels=LISTED['labels'])
    datalist.write_text(json.dumps(listed | {section: ['d/ct.nii.gz']}))
    tool('from_monai')(datalist, tmp_path / 'out', WANTED)
    rows = rows_of(tmp_path / 'out')
    assert [row['section'] for row in rows] == ['training'] * 3 + [section]
    assert rows[-1]['lung'] == rows[-1]['infection'] == ''


def test_a_class_in_the_place_of_a_label_map_is_refused(datalist, tmp_path, tool):
    datalist.write_text(json.dumps(dict(training=[dict(image='a/ct.nii.gz', label=2)])))
    refused(tool('from_monai'), datalist, tmp_path / 'out', 'training[0]', '2 is no path')


@pytest.mark.parametrize('text', ['[]', '{"a": 1}', '{', ''])
def test_what_is_no_datalist_is_refused(text, datalist, tmp_path, tool):
    datalist.write_text(text)
    refused(tool('from_monai'), datalist, tmp_path / 'out', str(datalist), error=DataError)


def test_an_unknown_value_of_a_datalist_is_refused(datalist, tmp_path, tool):
    write(datalist.parent / 'b/mask.nii.gz', lungs_and_infection() // 7 * 8)
    named = 'b/mask.nii.gz', '8'
    refused(tool('from_monai'), datalist, tmp_path / 'out', *named, error=ScanError, wanted=WANTED)


def test_root_is_where_paths_start_and_stay(datalist, tmp_path, tool):
    moved = datalist.rename(tmp_path / 'list.json')
    refused(tool('from_monai'), moved, tmp_path / 'out', 'not there')
    tool('from_monai')(moved, tmp_path / 'out', WANTED, root=tmp_path / 'set')
    assert len(rows_of(tmp_path / 'out')) == 4


# BIDS


@pytest.fixture
def bids(tmp_path):
    folder = tmp_path / 'bids'
    for name in (
        'sub-01/ses-a/ct/sub-01_ses-a',
        'sub-01/ses-b/ct/sub-01_ses-b',
        'sub-2/anat/sub-2',
    ):
        write(folder / f'{name}_ct.nii.gz', scan())
        mask = f'derivatives/net/{name}'
        write(folder / f'{mask}_space-orig_label-infection_mask.nii.gz', lungs_and_infection() // 7)
    write(folder / 'sub-2/anat/sub-2_T1w.nii.gz', scan())
    write(folder / 'sub-2/anat/sub-2_run-2_ct.nii.gz', scan())
    (folder / 'participants.tsv').write_text(
        'participant_id\tsite\tdiagnosis\nsub-01\thome\tcovid19\nsub-2\tn/a\tNP\n'
    )
    return folder


ENDS = dict(infection='label-infection_mask')


def test_sessions_are_scans_of_one_patient_with_the_masks_of_their_own_names(bids, tmp_path, tool):
    out = tmp_path / 'out'
    lines = tool('from_bids')(bids, out, ENDS, class_column='diagnosis')
    assert any('4 scans of 2 patients, 3 with infection, 0 with lung' in line for line in lines)
    rows = {row['case']: row for row in rows_of(out)}
    assert sorted(rows) == ['sub-01_ses-a', 'sub-01_ses-b', 'sub-2', 'sub-2_run-2']
    assert rows['sub-01_ses-a']['patient'] == rows['sub-01_ses-b']['patient'] == 'sub-01'
    for case, row in rows.items():
        is_first = case.startswith('sub-01')
        assert row['label'] == ('COVID-19' if is_first else 'NP')
        assert row['site'] == ('home' if is_first else '')
    assert rows['sub-2_run-2']['infection'] == ''  # that of sub-2 is another scan's
    mask = file_of(rows['sub-01_ses-b'], 'infection', out)
    assert mask.name == 'sub-01_ses-b_space-orig_label-infection_mask.nii.gz'


def test_patients_with_nearly_one_name_are_told(bids, tmp_path, tool):
    write(bids / 'sub-1/ct/sub-1_ct.nii.gz', scan())
    lines = tool('from_bids')(bids, tmp_path / 'out', {})
    assert any('sub-01 and sub-1' in line for line in lines)
    assert any('participants.tsv has no sub-1' in line for line in lines)


def test_two_masks_of_one_scan_and_an_end_that_no_mask_has_are_refused(bids, tmp_path, tool):
    convert = tool('from_bids')
    refused(convert, bids, tmp_path / 'out', 'desc-x', ends=dict(lung='desc-x'), error=ScanError)
    name = 'sub-2/anat/sub-2_label-infection_mask.nii.gz'
    second = write(bids / 'derivatives/other' / name, lungs_and_infection())
    refused(convert, bids, tmp_path / 'out', str(second), ends=ENDS, error=ScanError)
    convert(bids, tmp_path / 'out', ENDS, derivatives=bids / 'derivatives/net')
    assert sum(bool(row['infection']) for row in rows_of(tmp_path / 'out')) == 3


def test_a_scan_in_the_folder_of_another_subject_is_refused(bids, tmp_path, tool):
    path = write(bids / 'sub-2/ct/sub-3_ct.nii.gz', scan())
    refused(tool('from_bids'), bids, tmp_path / 'out', str(path), ends={}, error=ScanError)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'cp1252', 'utf-16'])
def test_participants_are_read_in_any_usual_form(encoding, bids, tmp_path, tool):
    text = 'participant_id\tSite\tDiagnosis\nsub-01 \tKöln\tcovid\nsub-2\tn/a\tN/A\n'
    (bids / 'participants.tsv').write_bytes(text.encode(encoding))
    tool('from_bids')(bids, tmp_path / 'out', {}, class_column='diagnosis')
    seen = {row['patient']: (row['label'], row['site']) for row in rows_of(tmp_path / 'out')}
    assert seen == {'sub-01': ('COVID-19', 'Köln'), 'sub-2': ('', '')}


@pytest.mark.parametrize(
    'lines, named',
    [
        ('sub-01\thome\tNP\nsub-01\thome\tCAP\n', 'line 3: sub-01 is listed twice'),
        ('sub-01\thome\n', 'line 2: it has 2 fields, the header has 3'),
    ],
)
def test_a_doubtful_line_of_participants_is_named(lines, named, bids, tmp_path, tool):
    (bids / 'participants.tsv').write_text('participant_id\tsite\tdiagnosis\n' + lines)
    refused(tool('from_bids'), bids, tmp_path / 'out', named, ends={}, class_column='diagnosis')


@pytest.mark.parametrize('column, named', [('group', 'group'), ('site', 'home')])
def test_a_missing_column_and_an_unknown_class_are_refused(column, named, bids, tmp_path, tool):
    options = dict(ends={}, class_column=column)
    refused(tool('from_bids'), bids, tmp_path / 'out', 'participants.tsv', named, **options)


def test_a_folder_without_scans_or_masks_is_refused(bids, tmp_path, tool):
    empty = tmp_path / 'empty'
    empty.mkdir()
    convert = tool('from_bids')
    refused(convert, empty, tmp_path / 'out', 'ct.nii.gz', ends={}, error=ScanError)
    os.rename(bids / 'derivatives', bids / 'masks')
    refused(convert, bids, tmp_path / 'out', '--derivatives', ends=ENDS, error=ScanError)


def test_the_command_lines_of_monai_and_bids_say_what_they_found(
    datalist, bids, tmp_path, tool, capsys
):
    given = ['--lung', 'left', 'right', 'infection', '--patient', '(.)_ct', '--site', 'x']
    tool('from_monai', 'main')([str(datalist), str(tmp_path / 'm'), *given])
    said = capsys.readouterr().out
    assert '4 scans of 4 patients, 0 with infection, 2 with lung' in said
    assert '--lung-values 3 4 7' in said and '4 cases have no class' in said
    assert {row['site'] for row in rows_of(tmp_path / 'm')} == {'x'}
    tool('from_bids', 'main')([str(bids), str(tmp_path / 'b'), '--class', 'NP'])
    assert '4 scans of 2 patients, 0 with infection' in capsys.readouterr().out
    assert {row['label'] for row in rows_of(tmp_path / 'b')} == {'NP'}
    with pytest.raises(SystemExit):
        tool('from_monai', 'main')([str(datalist), str(tmp_path / 'm'), '--patient', 'p.*'])
    assert 'has no group' in capsys.readouterr().err


# label maps of other programs


@pytest.mark.parametrize(
    'values',
    [
        pytest.param((1, 2), id='lungmask R231'),
        pytest.param((1, 2, 3, 4, 5), id='lungmask LTRCLobes'),
        pytest.param((10, 11, 12, 13, 14), id='TotalSegmentator v2'),
    ],
)
def test_label_maps_of_lung_programs_are_lungs_by_their_values(values, tmp_path):
    labels = lungs_and_infection()
    lung = labels > 0
    labels[lung] = np.resize(values, lung.sum())
    labels[0, :, 0] = 52  # the aorta of TotalSegmentator, or any other value
    write(tmp_path / 'a.nii.gz', scan())
    write(tmp_path / 'lobes.nii.gz', labels)
    (tmp_path / 'cases.csv').write_text(
        f'{",".join(COLUMNS)}\na,a,a.nii.gz,,lobes.nii.gz,NP,here\n'
    )
    prepare_volumes(
        tmp_path / 'cases.csv',
        tmp_path / 'store',
        SliceSpec(16, min_lung_px=1),
        accept=['no lungs'],
        mask_values=dict(lung=values),
    )
    store = SliceStore(tmp_path / 'store')
    assert [int(store.lung(i).sum()) for i in range(len(store))] == [80] * 6
