"""Which files and folders are scans."""

import dicom_maker as make
import numpy as np
import pytest
from PIL import Image

from xaicovid_mm.data_prep.find_cases import find_cases
from xaicovid_mm.data_prep.io.dicom.series import read_dicom
from xaicovid_mm.data_prep.io.ignored import NO_DICOM
from xaicovid_mm.data_prep.io.scan import read_scan
from xaicovid_mm.utils.errors import ScanError, TableError


@pytest.fixture
def scans(tmp_path):
    (tmp_path / 'scans').mkdir()
    for name in ('p1', 'p2'):
        make.series(tmp_path / 'scans' / name)
    return tmp_path / 'scans'


BESIDE = {
    'nothing': lambda folder: None,
    'Thumbs.db': lambda folder: (folder / 'Thumbs.db').write_bytes(b'x'),
    '.DS_Store': lambda folder: (folder / '.DS_Store').write_bytes(b'x'),
    'desktop.ini': lambda folder: (folder / 'desktop.ini').write_bytes(b'x'),
    'DICOMDIR': lambda folder: (folder / 'DICOMDIR').write_bytes(b'\0' * 128 + b'DICM'),
    'a directory of another name': lambda folder: make.save(
        folder / 'DIRFILE', make.image(SOPClassUID='1.2.840.10008.1.3.10')
    ),
    'a text and a table': lambda folder: (
        (folder / 'README').write_text('x'),
        (folder / 'cases.csv').write_text('x'),
    ),
    'a dose report': lambda folder: make.save(
        folder / 'dose', make.image(SOPClassUID='1.2.840.10008.5.1.4.1.1.88.67')
    ),
    'a folder of the system': lambda folder: (folder / '__MACOSX').mkdir(),
}


@pytest.mark.parametrize('case', BESIDE)
def test_what_lies_beside_folders_of_scans_does_not_make_one_scan_of_them(scans, case):
    BESIDE[case](scans)
    assert find_cases([scans]) == {'p1': scans / 'p1', 'p2': scans / 'p2'}


def test_slices_beside_folders_are_one_scan_with_what_is_in_them(scans):
    make.save(scans / 'IM0001', make.image())
    assert find_cases([scans]) == {'scans': scans}


def picture(path):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(path)


def test_pictures_beside_a_folder_without_slices_are_one_scan(tmp_path):
    picture(tmp_path / '1.png')
    (tmp_path / 'notes').mkdir()
    assert find_cases([tmp_path]) == {tmp_path.name: tmp_path}


def test_a_picture_beside_slices_does_not_make_pictures_of_them(scans):
    whole, *_ = read_dicom(scans / 'p1')
    picture(scans / 'thumb.png')
    picture(scans / 'p1' / 'preview.jpg')
    assert find_cases([scans]) == {'p1': scans / 'p1', 'p2': scans / 'p2'}
    scan = read_scan(scans / 'p1')
    np.testing.assert_array_equal(np.sort(scan.data, None), np.sort(whole, None))
    assert scan.ignored == {NO_DICOM: 1}


@pytest.mark.parametrize('suffix', ['tif', 'png'])
def test_slices_that_are_named_like_pictures_are_read(scans, suffix):
    for path in [*(scans / 'p1').iterdir()]:
        path.rename(path.with_name(f'{path.name}.{suffix}'))
    assert find_cases([scans / 'p1']) == {'p1': scans / 'p1'}
    assert len(read_scan(scans / 'p1').data) == len(read_scan(scans / 'p2').data)


@pytest.mark.parametrize('name', ['export.nii.gz', 'backup.zip'])
def test_a_scan_file_among_slices_is_refused_with_both_named(scans, name):
    (scans / 'p1' / name).write_bytes(b'x')
    first = min(path.name for path in (scans / 'p1').iterdir() if path.name != name)
    with pytest.raises(TableError, match=rf'\({name}\) and DICOM slices \({first}') as error:
        find_cases([scans / 'p1'])
    assert 'take the others out' in error.value.remedy


def test_files_that_are_no_scans_are_counted_in_the_log(tmp_path, caplog):
    for name in ('a.nii.gz', 'b.nii', 'c.nrrd', 'd.mha', 'e.json', 'f.txt', 'Thumbs.db', 'g.png'):
        (tmp_path / name).write_bytes(b'x')
    assert list(find_cases([tmp_path])) == ['a', 'b']
    assert '5 files left out as no scan: c.nrrd, d.mha, e.json, ...' in caplog.text


def test_a_folder_of_slices_and_files_of_the_system_is_one_scan(scans):
    (scans / 'p1' / 'Thumbs.db').write_bytes(b'x')
    assert find_cases([scans / 'p1']) == {'p1': scans / 'p1'}


def test_the_ending_of_a_scan_may_have_letters_of_any_case(tmp_path):
    for name in ('a.nii.gz', 'B.NII.GZ', 'c.Nii', 'd.ZIP'):
        (tmp_path / name).write_bytes(b'x')
    assert list(find_cases([tmp_path])) == ['B', 'a', 'c', 'd']


def test_a_tree_of_patients_studies_and_series_is_found_at_any_depth(tmp_path):
    study = tmp_path / 'p1' / 'study'
    for folder in (study, study / 'report', tmp_path / 'p2' / 'study'):
        folder.mkdir(parents=True)
    make.series(study / 'thin')
    make.series(study / 'thick')
    make.save(study / 'report' / 'sr', make.image(Modality='SR'))
    make.series(tmp_path / 'p2' / 'study' / 'only')
    assert find_cases([tmp_path]) == {
        'p1_study_thick': tmp_path / 'p1' / 'study' / 'thick',
        'p1_study_thin': tmp_path / 'p1' / 'study' / 'thin',
        'p2': tmp_path / 'p2',
    }


def test_files_of_the_same_name_are_named_after_their_folders(tmp_path):
    files = [tmp_path / p / 'ct' / 'ct.nii.gz' for p in ('p1', 'p2')]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_bytes(b'x')
    named = {'p1_ct_ct': files[0], 'p2_ct_ct': files[1]}
    assert find_cases([tmp_path]) == find_cases(files) == named
    assert find_cases(files[:1]) == {'ct': files[0]}


def test_links_are_named_after_where_they_lie_and_not_after_what_they_lead_to(tmp_path):
    pool = tmp_path / 'pool'
    pool.mkdir()
    for name in 'ab':
        (pool / f'{name}.nii.gz').touch()
        (tmp_path / 'in' / name).mkdir(parents=True)
        (tmp_path / 'in' / name / 'ct.nii.gz').symlink_to(pool / f'{name}.nii.gz')
    found = find_cases([tmp_path / 'in' / name / 'ct.nii.gz' for name in 'ab'])
    assert [*found] == ['a_ct', 'b_ct']


def test_a_file_of_one_slice_stands_for_its_series(tmp_path):
    make.series(tmp_path / 's')
    (tmp_path / 's' / 'other').mkdir()
    for k in range(5):
        make.save(tmp_path / 's' / 'other' / f'{k}', make.image(k, SeriesInstanceUID='1.2.4'))
    files = sorted(path for path in (tmp_path / 's').iterdir() if path.is_file())
    whole, *_ = read_dicom(tmp_path / 's', make.UID)
    found, _, ignored = read_dicom(files[1])
    np.testing.assert_array_equal(found, whole)
    assert sum(ignored.values()) == len(files)  # of the other series
    (name,) = find_cases([files[1]])
    assert not name.endswith('.dcm')


def test_a_file_without_a_series_says_what_is_missing(tmp_path):
    make.save(tmp_path / 'one.dcm', make.image())
    with pytest.raises(ScanError, match='infer --series'):
        read_dicom(tmp_path / 'one.dcm')


def results_of(out, *names):
    """A folder of results as `infer` leaves it."""
    for name in names:
        (out / name).mkdir(parents=True)
        for file in ('prediction.json', 'caam.nii.gz', 'lung.nii.gz'):
            (out / name / file).write_text('{}')
    for file in ('cohort.html', 'cohort.json', 'cohort.csv'):
        (out / file).write_text('')
    (out / '.locks').mkdir()


def test_results_among_the_scans_are_no_scans(tmp_path, caplog):
    for name in ('p1', 'p2'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'ct.nii.gz').write_text('')
    before = find_cases([tmp_path])
    results_of(tmp_path / 'results', 'p1_ct', 'p2_ct')
    assert find_cases([tmp_path]) == before
    assert before == {f'{p}_ct': tmp_path / p / 'ct.nii.gz' for p in ('p1', 'p2')}
    assert f'{tmp_path}: folders of results are passed over: 1' in caplog.text


def test_results_beside_scans_are_no_scans(tmp_path, caplog):
    """Also with the tables of all cases beside the scan itself."""
    (tmp_path / 'a.nii.gz').write_text('')
    results_of(tmp_path, 'a', 'b')
    assert find_cases([tmp_path]) == {'a': tmp_path / 'a.nii.gz'}
    assert f'{tmp_path}: folders of results are passed over: 2' in caplog.text


def test_a_folder_that_holds_a_scan_beside_results_is_looked_into(tmp_path):
    (tmp_path / 'p1').mkdir()
    (tmp_path / 'p1' / 'ct.nii.gz').write_text('')
    results_of(tmp_path / 'p1', 'ct')
    assert find_cases([tmp_path]) == {'p1_ct': tmp_path / 'p1' / 'ct.nii.gz'}


def test_a_folder_of_results_alone_holds_no_scan(tmp_path):
    results_of(tmp_path / 'out', 'a')
    for folder in (tmp_path / 'out', tmp_path / 'out' / 'a'):
        with pytest.raises(TableError, match=f'{folder} holds results of infer, no scans'):
            find_cases([folder])


def test_results_that_a_pattern_of_the_shell_names_beside_scans_are_no_scans(tmp_path, caplog):
    (tmp_path / 'a.nii.gz').write_bytes(b'x')
    results_of(tmp_path / 'out', 'a')
    assert find_cases(sorted(tmp_path.iterdir())) == {'a': tmp_path / 'a.nii.gz'}
    assert 'folders of results are passed over: 1' in caplog.text
