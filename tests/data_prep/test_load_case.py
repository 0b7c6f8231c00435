"""A case from its files."""

import nibabel as nib
import numpy as np
import pytest

from xaicovid_mm.data_prep.load_case import (
    OTHER_GRID,
    UNREADABLE,
    LoadedCase,
    case_files,
    load_case,
)
from xaicovid_mm.data_prep.quality.inspect import inspect_scan
from xaicovid_mm.utils.errors import ScanError

AFFINE = np.diag([-2.0, -2, 5, 1])


@pytest.fixture
def files(tmp_path):
    """A scan and both masks on its grid, stored in other axis orders than the scan."""
    rng = np.random.default_rng(0)
    scan = nib.Nifti1Image(rng.integers(-1000, 400, (6, 7, 8)).astype(np.int16), AFFINE)
    nib.save(scan, tmp_path / 'image.nii.gz')
    for column, axes in (('infection', 'RAS'), ('lung', 'SPL')):
        mask = nib.Nifti1Image((scan.get_fdata() > 0).astype(np.uint8), AFFINE)
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes)
        )
        nib.save(mask.as_reoriented(turn), tmp_path / f'{column}.nii.gz')
    return {column: tmp_path / f'{column}.nii.gz' for column in ('image', 'infection', 'lung')}


def codes(case):
    return [(error.column, error.code) for error in case.errors]


def test_scan_and_masks_lie_on_one_grid(files):
    case = load_case(files)
    scan = case.need_scan()
    assert case.errors == [] and scan.data.shape == (8, 7, 6)
    for column in ('infection', 'lung'):
        np.testing.assert_array_equal(case.mask(column), scan.data > 0)


def test_a_mask_that_is_not_given_is_absent_and_no_error(files):
    case = load_case({'image': files['image']})
    assert case.errors == [] and case.masks == {} and case.mask('lung') is None


def test_all_file_errors_of_a_case_are_listed_at_once(files):
    files['image'].write_bytes(b'torn')
    files['infection'].unlink()
    files['lung'].write_bytes(b'')
    case = load_case(files)
    assert codes(case) == [(column, UNREADABLE) for column in files]
    for file_error in case.errors:
        assert str(files[file_error.column]) in file_error.error.what
        assert file_error.error.remedy
    assert case.scan is None and case.masks == {}


def test_a_mask_that_cannot_be_read_does_not_keep_the_scan_and_the_other_mask_from_loading(files):
    files['infection'].write_bytes(b'torn')
    case = load_case(files)
    assert codes(case) == [('infection', UNREADABLE)]
    assert case.scan is not None and list(case.masks) == ['lung']


def test_need_scan_raises_the_first_error(files):
    files['infection'].write_bytes(b'torn')
    files['lung'].unlink()
    case = load_case(files)
    with pytest.raises(ScanError, match='infection.nii.gz') as caught:
        case.need_scan()
    assert caught.value is case.errors[0].error


@pytest.mark.parametrize(
    'shape, affine', [((6, 7, 7), AFFINE), ((6, 7, 8), AFFINE + np.eye(4, k=3) * 0.5)]
)
def test_a_mask_of_another_shape_or_place_is_of_another_grid(files, shape, affine):
    nib.save(nib.Nifti1Image(np.ones(shape, np.uint8), affine), files['lung'])
    case = load_case(files)
    assert codes(case) == [('lung', OTHER_GRID)] and list(case.masks) == ['infection']
    for path in (files['image'], files['lung']):
        assert str(path) in case.errors[0].error.what
    with pytest.raises(ScanError, match='grid of the scan'):
        case.need_scan()


def test_a_case_without_a_scan_cannot_be_inspected(files):
    files['image'].write_bytes(b'torn')
    with pytest.raises(ScanError, match='image.nii.gz'):
        inspect_scan(load_case(files), 'hu', lambda hu, spacing_mm: hu < 0)


def test_the_files_of_a_row_start_from_the_folder_of_the_table(tmp_path):
    row = dict(case='a', image='x/a.nii.gz', infection='', lung='/b.nii.gz')
    files = case_files(row, tmp_path)
    assert {column: str(path) for column, path in files.items()} == {
        'image': str(tmp_path / 'x/a.nii.gz'),
        'lung': '/b.nii.gz',
    }
    assert LoadedCase(files).mask('lung') is None


def test_a_dicom_file_in_the_place_of_a_mask_is_called_by_its_name(files):
    files['lung'] = files['lung'].with_name('segmentation.dcm')
    files['lung'].write_bytes(b'\0' * 128 + b'DICM')
    (file_error,) = load_case(files).errors
    assert 'segmentation.dcm is a DICOM file' in file_error.error.what
