"""What other programs read from the files we write, for scans that we accept."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from xaicovid_mm.data_prep.io.nifti import write_nifti
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.orientation import from_upright
from xaicovid_mm.data_prep.volume import check_same_grid

TO_LPS = np.diag([-1, -1, 1, 1])


def scan_of(seed, path):
    """A scan that may lie any way, mirrored or leaning by up to 9e-4, with a coded form or both."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 40, 3))
    lean = np.eye(3)
    lean[tuple(rng.permutation(3)[:2])] = rng.choice([0, 1e-5, 6e-4, -9e-4])
    turned = Rotation.random(random_state=seed).as_matrix() if seed % 2 else np.eye(3)
    axes = turned @ lean @ np.diag(rng.choice([-1, 1], 3) * rng.uniform(0.3, 8, 3))
    affine = nib.affines.from_matvec(axes[:, rng.permutation(3)], rng.uniform(-300, 300, 3))
    image = nib.Nifti1Image(rng.integers(-1000, 500, shape, dtype=np.int16), affine)
    if seed % 3 == 0:
        image.set_qform(affine, code=1)
    nib.save(image, path)
    return affine


@pytest.mark.parametrize('seed', range(40))
def test_itk_and_nibabel_read_our_output_of_an_accepted_scan_at_the_same_place(tmp_path, seed):
    affine = scan_of(seed, tmp_path / 'scan.nii.gz')
    scan = read_volume(tmp_path / 'scan.nii.gz')
    mask = from_upright(scan.data > 0, scan.affine).astype(np.uint8)
    write_nifti(tmp_path / 'mask.nii.gz', mask, scan.affine)

    ours, itk = nib.load(tmp_path / 'mask.nii.gz'), sitk.ReadImage(tmp_path / 'mask.nii.gz')
    np.testing.assert_array_equal(
        ours.dataobj, np.asarray(nib.load(tmp_path / 'scan.nii.gz').dataobj) > 0
    )
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk).transpose(2, 1, 0), ours.dataobj)
    assert ours.header['qform_code'] == ours.header['sform_code'] == 1
    np.testing.assert_allclose(ours.get_qform(), ours.get_sform(), atol=2e-3)
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(mask.shape) - 1)
    here = nib.affines.apply_affine(ours.affine, corners)
    there = [itk.TransformContinuousIndexToPhysicalPoint(corner) for corner in corners.tolist()]
    np.testing.assert_allclose(nib.affines.apply_affine(TO_LPS, there), here, atol=2e-3)
    truth = nib.affines.apply_affine(affine, corners)
    size = np.linalg.norm(truth.max(0) - truth.min(0))
    assert np.abs(here - truth).max() <= 1e-3 * size + 1e-3


@pytest.mark.parametrize('seed', range(12))
def test_our_mask_of_a_leaning_scan_lies_on_the_grid_of_the_scan(tmp_path, seed):
    scan_of(seed, tmp_path / 'scan.nii.gz')
    scan = read_volume(tmp_path / 'scan.nii.gz')
    mask = from_upright(scan.data > 0, scan.affine).astype(np.uint8)
    write_nifti(tmp_path / 'mask.nii.gz', mask, scan.affine)
    turned = nib.as_closest_canonical(nib.load(tmp_path / 'mask.nii.gz'))
    nib.save(turned, tmp_path / 'turned.nii.gz')
    for name in ('mask', 'turned'):
        again = read_volume(tmp_path / f'{name}.nii.gz')
        check_same_grid('scan', scan, name, again)
        np.testing.assert_array_equal(again.data > 0, scan.data > 0)


def test_an_affine_without_a_lean_is_kept_to_the_bit(tmp_path):
    affine = np.diag([-0.7, -0.7, 5, 1]) + 0.0
    write_nifti(tmp_path / 'a.nii.gz', np.zeros((2, 3, 4), np.uint8), affine)
    np.testing.assert_array_equal(read_volume(tmp_path / 'a.nii.gz').affine, np.float32(affine))
