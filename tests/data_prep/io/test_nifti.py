"""Read NIfTI volumes and check that a mask lies on the grid of its scan."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import aff2axcodes, axcodes2ornt, ornt_transform

from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.volume import check_same_grid
from xaicovid_mm.utils.errors import ScanError

ORIENTATIONS = [
    codes
    for order in itertools.permutations(('LR', 'PA', 'SI'))
    for codes in itertools.product(*order)
]


def save(path, data, affine=None):
    nib.save(nib.Nifti1Image(data, np.diag([-2.0, -3, 4, 1]) if affine is None else affine), path)
    return path


@pytest.mark.parametrize('codes', ORIENTATIONS, ids=''.join)
def test_every_orientation_is_turned_upright(tmp_path, codes):
    data = np.zeros((5, 6, 7), np.int16)  # x to the left, y to the back, z to the head
    data[4, 1, 5] = 100
    image = nib.Nifti1Image(data, np.diag([-2.0, -3, 4, 1]))
    turn = ornt_transform(axcodes2ornt(('L', 'P', 'S')), axcodes2ornt(codes))
    image = image.as_reoriented(turn)
    assert aff2axcodes(image.affine) == codes
    nib.save(image, tmp_path / 'v.nii.gz')

    volume = read_volume(tmp_path / 'v.nii.gz')

    assert volume.data.shape == (7, 6, 5) and volume.data[5, 1, 4] == 100
    assert volume.spacing_mm == pytest.approx((4, 3, 2))
    np.testing.assert_allclose(volume.affine, image.affine)


COLOUR = np.dtype([('R', 'u1'), ('G', 'u1'), ('B', 'u1')])


def sheared():
    affine = np.diag([-2.0, -3, 4, 1])
    affine[1, 2] = 1.0
    return affine


@pytest.mark.parametrize(
    'data, affine, named',
    [
        (np.zeros((4, 4, 4, 2), np.int16), None, '4D'),
        (np.zeros((4, 4), np.int16), None, '2D'),
        (np.full((4, 4, 4), np.nan, np.float32), None, '64 of 64 voxels are NaN'),
        (np.zeros((4, 4, 4), np.int16), sheared(), 'right angles'),
        (np.zeros((4, 4, 4), np.int16), np.diag([2.0, 0, 4, 1]), 'spacing'),
        (np.zeros((4, 4, 4), np.int16), np.diag([2.0, np.nan, 4, 1]), 'NaN'),
        (np.zeros((4, 4, 4), np.int16), np.diag([0.002, 0.002, 0.004, 1]), '0.01 or more.*metres'),
        (np.zeros((4, 4, 4), COLOUR), None, '3D in colour'),
    ],
)
def test_a_bad_volume_is_refused_by_name(tmp_path, data, affine, named):
    path = tmp_path / 'bad.nii.gz'
    image = nib.Nifti1Image(data, np.diag([2.0, 3, 4, 1]) if affine is None else None)
    if affine is not None:
        image.header.set_sform(affine, code=1)
        image.header.set_qform(None, code=0)
    nib.save(image, path)
    with pytest.raises(ScanError, match=f'(?s)bad.nii.gz.*{named}'):
        read_volume(path)


def test_a_volume_without_orientation_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), None), tmp_path / 'v.nii.gz')
    with pytest.raises(ScanError, match='v.nii.gz.*which side is left'):
        read_volume(tmp_path / 'v.nii.gz')


@pytest.mark.parametrize('content', [b'', b'hello', None])
def test_a_file_that_is_no_volume_is_refused_by_name(tmp_path, content):
    path = save(
        tmp_path / 'v.nii.gz', np.random.default_rng(0).integers(0, 99, (9, 9, 9), np.int16)
    )
    path.write_bytes(path.read_bytes()[:400] if content is None else content)
    with pytest.raises(ScanError, match='v.nii.gz'):
        read_volume(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ScanError, match='none.nii.gz'):
        read_volume(tmp_path / 'none.nii.gz')


@pytest.mark.parametrize(
    'shape, affine, named',
    [((4, 4, 5), None, r'\(4, 4, 5\).*\(4, 4, 4\)'), ((4, 4, 4), np.eye(4), 'affines')],
)
def test_a_mask_on_another_grid_is_refused(tmp_path, shape, affine, named):
    scan = read_volume(save(tmp_path / 's.nii.gz', np.zeros((4, 4, 4), np.int16)))
    mask = read_volume(save(tmp_path / 'm.nii.gz', np.zeros(shape, np.int16), affine))
    with pytest.raises(ScanError, match=named):
        check_same_grid('s.nii.gz', scan, 'm.nii.gz', mask)
