"""Converters of public sets, on tiny folders laid out as their publishers lay them out."""

import csv
import json
import pickle
import runpy
import shutil
from pathlib import Path

import dicom_maker
import nibabel as nib
import numpy as np
import pytest
from skimage.io import imsave

from xaicovid_mm.data_prep.builders.images import prepare_images
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.case_table import COLUMNS, SLICE_COLUMNS, check_unique, read_table
from xaicovid_mm.data_prep.io.scan import read_scan
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.splits.assign import check_one_role, write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import ScanError, StoreError, TableError


@pytest.fixture
def tool(monkeypatch):
    """A function of a converter, its helper found as if it were run from the command line."""
    monkeypatch.syspath_prepend('tools/dataset_converters')
    return lambda name, what='convert': runpy.run_path(f'tools/dataset_converters/{name}.py')[what]


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')


def rows_of(table, columns=COLUMNS):
    rows = read_table(table, columns)  # as prepare_data reads it: it looks for every file
    check_unique(table, rows)
    return rows


def files_of(row, base):
    return [str((base / row[k]).resolve()) for k in ('image', 'infection', 'lung') if row[k]]


def refused(convert, folder, out, *named, error=ScanError):
    with pytest.raises(error) as caught:
        convert(folder, out)
    assert all(part in str(caught.value) for part in named), caught.value
    assert not out.exists()


# COVID-19-CT-Seg

CT_SEG = ('COVID-19-CT-Seg_20cases', 'Infection_Mask', 'Lung_Mask')


@pytest.fixture
def ct_seg(tmp_path, tool):
    names = tool('covid19_ct_seg', 'IN_HU') + tool('covid19_ct_seg', 'WINDOWED')
    touch(*(tmp_path / 'set' / kind / f'{name}.nii.gz' for kind in CT_SEG for name in names))
    return tmp_path / 'set'


def test_scans_in_hu_and_windowed_scans_go_to_two_tables_with_their_masks(ct_seg, tmp_path, tool):
    lines = tool('covid19_ct_seg')(ct_seg, tmp_path / 'out')
    assert 'not there: none' in lines
    for table, source in (('hu', 'coronacases'), ('display', 'radiopaedia')):
        rows = rows_of(tmp_path / f'out/{table}.csv')
        assert len(rows) == 10 and {row['site'] for row in rows} == {source}
        for row in rows:
            assert row['case'].startswith(source) and row['label'] == 'COVID-19'
            wanted = [str(ct_seg / kind / f'{row["case"]}.nii.gz') for kind in CT_SEG]
            assert files_of(row, tmp_path / 'out') == wanted


def test_two_files_of_one_patient_have_one_patient_name(ct_seg, tmp_path, tool):
    tool('covid19_ct_seg')(ct_seg, tmp_path / 'out')
    patient = {row['case']: row['patient'] for row in rows_of(tmp_path / 'out/display.csv')}
    assert patient['radiopaedia_10_85902_1'] == patient['radiopaedia_10_85902_3']
    assert patient['radiopaedia_29_86490_1'] == patient['radiopaedia_29_86491_1']
    assert len(set(patient.values())) == 8
    hu = {row['case']: row['patient'] for row in rows_of(tmp_path / 'out/hu.csv')}
    assert hu == {name: name for name in hu} and not set(hu.values()) & set(patient.values())


def test_scans_that_are_not_there_are_named_and_make_no_rows(ct_seg, tmp_path, tool):
    for name in ('coronacases_004', 'radiopaedia_4_85506_1'):
        (ct_seg / CT_SEG[0] / f'{name}.nii.gz').unlink()
    lines = tool('covid19_ct_seg')(ct_seg, tmp_path / 'out')
    assert 'not there: coronacases_004, radiopaedia_4_85506_1' in lines
    assert [len(rows_of(tmp_path / f'out/{t}.csv')) for t in ('hu', 'display')] == [9, 9]


@pytest.mark.parametrize('kind', CT_SEG)
def test_a_missing_folder_of_ct_seg_is_named_with_the_zip_that_fills_it(
    kind, ct_seg, tmp_path, tool
):
    (ct_seg / kind).rename(ct_seg / 'Lung_and_Infection_Mask')  # must not stand in for any
    refused(tool('covid19_ct_seg'), ct_seg, tmp_path / 'out', str(ct_seg / kind), f'{kind}.zip')


def test_a_scan_without_mask_and_a_scan_of_another_set_are_refused(ct_seg, tmp_path, tool):
    mask = ct_seg / 'Lung_Mask/coronacases_002.nii.gz'
    mask.unlink()
    convert = tool('covid19_ct_seg')
    refused(convert, ct_seg, tmp_path / 'out', 'Lung_Mask', 'coronacases_002', 'unpack')
    touch(mask, ct_seg / CT_SEG[0] / 'case009.nii.gz')
    refused(convert, ct_seg, tmp_path / 'out', CT_SEG[0], 'case009', 'names of Zenodo')


def test_the_windowed_table_is_refused_as_hu_and_both_become_stores(tmp_path, tool):
    lung = np.zeros((16, 16, 6), np.uint8)
    lung[3:13, 3:7], lung[3:13, 9:13] = 1, 2
    infection = np.zeros_like(lung)
    infection[4:8, 4:6, 2] = 1
    hu = np.where(lung > 0, -800, 40).astype(np.int16)
    hu += np.random.default_rng(0).integers(-20, 20, hu.shape, np.int16)
    display = np.rint((hu + 1250) / 1500 * 255).astype(np.int16)
    hu[0, 0] = -1000
    for name, scan in (('coronacases_001', hu), ('radiopaedia_7_85703_0', display)):
        for kind, data in zip(CT_SEG, (scan, infection, lung), strict=True):
            path = tmp_path / kind / f'{name}.nii.gz'
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(data, np.diag([-2.0, -2, 2, 1])), path)
    tool('covid19_ct_seg')(tmp_path, tmp_path / 'out')
    small = SliceSpec(16, min_lung_px=1)
    with pytest.raises(ScanError, match='--intensity display'):
        prepare_volumes(tmp_path / 'out/display.csv', tmp_path / 'wrong', small)
    for table in ('hu', 'display'):
        given = tmp_path / f'out/{table}.csv'
        prepare_volumes(given, tmp_path / table, small, intensity=table, accept=['no lungs'])
        store = SliceStore(tmp_path / table)
        assert sum(store.infection(i).sum() for i in range(len(store))) == 8
        assert (store.lung(2) > 0).sum() == 80


# MosMedData


@pytest.fixture
def mosmed(tmp_path):
    names = ['CT-0/study_0001', 'CT-1/study_0255', 'CT-1/study_0256', 'CT-2/study_0939']
    names += ['CT-3/study_1064', 'CT-4/study_1109']
    touch(*(tmp_path / 'set/studies' / f'{name}.nii.gz' for name in names))
    touch(tmp_path / 'set/masks/study_0255_mask.nii.gz', tmp_path / 'set/studies/CT-0/.DS_Store')
    return tmp_path / 'set'


def test_ct_0_is_np_higher_grades_are_covid_19_and_the_grade_is_kept(mosmed, tmp_path, tool):
    lines = tool('mosmed')(mosmed, tmp_path / 'out')
    rows = rows_of(tmp_path / 'out/cases.csv')
    assert [(r['case'], r['patient'], r['label'], r['grade']) for r in rows] == [
        ('study_0001', 'study_0001', 'NP', 'CT-0'),
        ('study_0255', 'study_0255', 'COVID-19', 'CT-1'),
        ('study_0256', 'study_0256', 'COVID-19', 'CT-1'),
        ('study_0939', 'study_0939', 'COVID-19', 'CT-2'),
        ('study_1064', 'study_1064', 'COVID-19', 'CT-3'),
        ('study_1109', 'study_1109', 'COVID-19', 'CT-4'),
    ]
    masks = {r['case']: Path(r['infection']).name for r in rows if r['infection']}
    assert masks == {'study_0255': 'study_0255_mask.nii.gz'}
    assert 'CT-1 2 of 684' in lines[0] and lines[1] == 'masks: 1 of 50'
    assert any('PCR is unknown' in line for line in lines)


@pytest.mark.parametrize('gone', ['masks', *(f'studies/CT-{n}' for n in range(5))])
def test_a_missing_folder_of_mosmed_is_named(gone, mosmed, tmp_path, tool):
    shutil.rmtree(mosmed / gone)
    refused(tool('mosmed'), mosmed, tmp_path / 'out', str(mosmed / gone), 'COVID19_1110')


def test_a_mask_without_study_and_a_study_of_two_grades_are_refused(mosmed, tmp_path, tool):
    touch(mosmed / 'studies/CT-2/study_0256.nii.gz')
    refused(tool('mosmed'), mosmed, tmp_path / 'out', 'study_0256', 'two grades')
    (mosmed / 'studies/CT-2/study_0256.nii.gz').unlink()
    touch(mosmed / 'masks/study_0300_mask.nii.gz')
    refused(tool('mosmed'), mosmed, tmp_path / 'out', 'study_0300', 'unpack')


# COVID-CT-MD


@pytest.fixture
def ct_md(tmp_path):
    """Folders as on Figshare; Label Index skips a number as the publisher's does."""
    for name in ('COVID-19 Cases/P001', 'COVID-19 Cases/P002', 'Normal Cases/normal001'):
        touch(tmp_path / 'set' / name / 'a.dcm')
    (tmp_path / 'set/Cap Cases').mkdir()
    dicom_maker.series(tmp_path / 'set/Cap Cases/cap001')
    index = ['Label Index,Diagnosis,Relative Path,Folder/ID']
    index += ['42,COVID-19,./COVID-19/,P001', '44,CAP,./CAP/,cap001', '45,CAP,./CAP/,cap002']
    (tmp_path / 'set/Index.csv').write_text('\n'.join(index))
    labels = np.array([[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]])
    np.save(tmp_path / 'set/Slice-level-labels.npy', labels)
    return tmp_path / 'set'


def infected(table):
    with open(table, newline='') as file:
        lines = list(csv.DictReader(file))
    cases = {line['case'] for line in lines}
    return {c: [int(x['infected']) for x in lines if x['case'] == c] for c in cases}


@pytest.mark.parametrize('kind', ['Cases', 'subjects'])
def test_dicom_folders_become_rows_of_their_class(kind, ct_md, tmp_path, tool):
    for name in ('COVID-19', 'Cap', 'Normal'):
        (ct_md / f'{name} Cases').rename(ct_md / f'{name} {kind}')
    lines = tool('covid_ct_md')(ct_md, tmp_path / 'out')
    rows = rows_of(tmp_path / 'out/cases.csv')
    assert [(r['case'], r['patient'], r['label'], r['infection'], r['lung']) for r in rows] == [
        ('P001', 'P001', 'COVID-19', '', ''),
        ('P002', 'P002', 'COVID-19', '', ''),
        ('cap001', 'cap001', 'CAP', '', ''),
        ('normal001', 'normal001', 'NP', '', ''),
    ]
    assert files_of(rows[2], tmp_path / 'out') == [str(ct_md / f'Cap {kind}/cap001')]
    assert 'COVID-19 2 of 169, CAP 1 of 60, NP 1 of 76' in lines[0]
    assert 'slice labels without a scan: cap002' in lines


def test_labels_go_by_place_in_the_index_and_run_from_head_to_foot(ct_md, tmp_path, tool):
    tool('covid_ct_md')(ct_md, tmp_path / 'out')
    found = infected(tmp_path / 'out/slice_labels.csv')
    assert found == {'P001': [1], 'cap001': [0, 0, 0, 1, 1]}
    scan = read_scan(ct_md / 'Cap Cases/cap001')  # counts from the foot, brighter to the head
    brightest = np.argsort(scan.data.mean((1, 2)))[-2:]
    assert np.flatnonzero(found['cap001']).tolist() == sorted(brightest)


def test_updated_labels_go_first_and_labels_may_be_away(ct_md, tmp_path, tool):
    updated = ct_md / 'Slice-level-labels-updated-1.npy'
    np.save(updated, np.zeros((3, 6), int))
    tool('covid_ct_md')(ct_md, tmp_path / 'out')
    assert not any(sum(x) for x in infected(tmp_path / 'out/slice_labels.csv').values())
    for path in (updated, ct_md / 'Slice-level-labels.npy', ct_md / 'Index.csv'):
        path.unlink()
    tool('covid_ct_md')(ct_md, tmp_path / 'out')  # and no table of earlier ones stays
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['cases.csv']


@pytest.mark.parametrize('name', ['COVID-19 Cases', 'Cap Cases', 'Normal Cases'])
def test_a_missing_class_folder_and_a_patient_without_dicom_are_named(name, ct_md, tmp_path, tool):
    (ct_md / name / 'empty').mkdir()
    refused(tool('covid_ct_md'), ct_md, tmp_path / 'out', str(ct_md / name / 'empty'), '.dcm')
    shutil.rmtree(ct_md / name)
    (ct_md / name).mkdir()
    refused(tool('covid_ct_md'), ct_md, tmp_path / 'out', 'no patient', 'unpack')
    (ct_md / name).rmdir()
    refused(tool('covid_ct_md'), ct_md, tmp_path / 'out', str(ct_md), name.lower(), 'unpack')


class Evil:
    def __reduce__(self):
        return (pytest.fail, ('a pickle was run',))


@pytest.mark.parametrize(
    ('spoil', 'named'),
    [
        (lambda d: (d / 'Index.csv').unlink(), 'put both there'),
        (lambda d: (d / 'Slice-level-labels.npy').unlink(), 'put both there'),
        (lambda d: (d / 'Index.csv').write_text('A,B\n1,2'), 'Folder/ID'),
        (lambda d: (d / 'Index.csv').write_text('Folder/ID\nP001\nP001\ncap001'), 'twice'),
        (lambda d: np.save(d / 'Slice-level-labels.npy', np.zeros((2, 6))), '3 patients'),
        (lambda d: np.savez(open(d / 'Slice-level-labels.npy', 'wb'), [1]), 'no plain array'),
        (lambda d: np.save(d / 'Slice-level-labels.npy', np.full((3, 6), 2)), 'values [2]'),
        (lambda d: np.save(d / 'Slice-level-labels.npy', np.ones((3, 6))), 'to slice 6 of 6'),
        (lambda d: np.save(d / 'Slice-level-labels.npy', np.ones((3, 4))), 'to slice 4 of 4'),
        (
            lambda d: (d / 'Slice-level-labels.npy').write_bytes(pickle.dumps(Evil())),
            'no plain array',
        ),
        (
            lambda d: np.save(d / 'Slice-level-labels.npy', np.array([[Evil()]], dtype=object)),
            'no plain array',
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused_and_none_is_run(spoil, named, ct_md, tmp_path, tool):
    spoil(ct_md)
    refused(tool('covid_ct_md'), ct_md, tmp_path / 'out', named, error=TableError)


# COVID-SemiSeg


@pytest.fixture
def semiseg(tmp_path):
    train, test = 'TrainingSet/LungInfection-Train', 'TestingSet/LungInfection-Test'
    image = np.arange(120, dtype=np.uint8).reshape(12, 10)
    mask = np.zeros_like(image)
    mask[3:6, 2:5] = 255
    names = [f'{train}/Doctor-label/Imgs/1.jpg', f'{train}/Doctor-label/Imgs/2.jpg']
    names += [f'{train}/Pseudo-label/Imgs/1.jpg', f'{test}/Imgs/1.jpg']
    for name in names:
        path = tmp_path / 'Dataset' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, image, check_contrast=False)
        path = path.parent.parent / 'GT' / f'{path.stem}.png'
        path.parent.mkdir(exist_ok=True)
        imsave(path, mask, check_contrast=False)
    return tmp_path / 'Dataset'


@pytest.mark.parametrize('flat', [False, True])
def test_every_slice_is_a_case_of_an_unknown_source_and_pseudo_labels_are_left(
    flat, semiseg, tmp_path, tool
):
    if flat:
        for part in ('TrainingSet/LungInfection-Train', 'TestingSet/LungInfection-Test'):
            (semiseg / part).rename(semiseg / Path(part).name)
    lines = tool('covid_semiseg')(semiseg, tmp_path / 'out')
    rows = rows_of(tmp_path / 'out/train.csv', SLICE_COLUMNS)
    assert [(r['case'], r['patient'], Path(r['infection']).name) for r in rows] == [
        ('train_1', 'medseg_unknown', '1.png'),
        ('train_2', 'medseg_unknown', '2.png'),
        ('pseudo_1', 'ct_collection_unknown', ''),
    ]
    (test,) = rows_of(tmp_path / 'out/test.csv', SLICE_COLUMNS)
    assert (test['case'], test['patient'], test['label']) == (
        'test_1',
        rows[0]['patient'],
        'COVID-19',
    )
    assert '2 of 50 slices with masks, 1 of 1600 without' in lines[0]


def test_its_parts_become_two_stores_and_no_split_of_one_store(semiseg, tmp_path, tool):
    tool('covid_semiseg')(semiseg, tmp_path / 'out')
    splits = {}
    for part in ('train', 'test'):
        prepare_images(tmp_path / f'out/{part}.csv', tmp_path / part, 16)
        splits[part] = json.loads((tmp_path / f'out/{part}_split.json').read_text())
        write_split(SliceStore(tmp_path / part), 'default', splits[part])
    store = SliceStore(tmp_path / 'train')
    assert len(store.rows('default', 'labelled')) == 2
    assert len(store.rows('default', 'unlabelled')) == 1
    with pytest.raises(StoreError, match='both labelled and test'):
        check_one_role(splits['train'] | splits['test'])


@pytest.mark.parametrize(
    'gone',
    [
        'TrainingSet/LungInfection-Train/Doctor-label/GT',
        'TrainingSet/LungInfection-Train/Doctor-label/Imgs',
        'TrainingSet/LungInfection-Train/Pseudo-label/Imgs',
        'TestingSet/LungInfection-Test/GT',
        'TestingSet/LungInfection-Test/Imgs',
    ],
)
def test_a_missing_folder_of_semiseg_is_named(gone, semiseg, tmp_path, tool):
    shutil.rmtree(semiseg / gone)
    refused(tool('covid_semiseg'), semiseg, tmp_path / 'out', str(semiseg / gone), '.zip')


def test_an_image_without_mask_and_a_mask_without_image_are_refused(semiseg, tmp_path, tool):
    labelled = semiseg / 'TrainingSet/LungInfection-Train/Doctor-label'
    (labelled / 'GT/2.png').rename(labelled / 'GT/3.png')
    refused(tool('covid_semiseg'), semiseg, tmp_path / 'out', str(labelled / 'GT'), "['2']")
    touch(labelled / 'GT/2.png')
    refused(tool('covid_semiseg'), semiseg, tmp_path / 'out', str(labelled / 'Imgs'), "['3']")


# The command


def test_the_command_prints_what_it_found_and_names_a_mistake_in_one_line(
    mosmed, tmp_path, tool, capsys
):
    main = tool('mosmed', 'main')
    main([str(mosmed), str(tmp_path / 'out')])
    assert 'masks: 1 of 50' in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / 'nowhere'), str(tmp_path / 'out')])
    assert caught.value.code == 2
    assert str(tmp_path / 'nowhere') in capsys.readouterr().err.splitlines()[0]
