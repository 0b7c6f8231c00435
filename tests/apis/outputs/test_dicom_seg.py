"""Masks of a DICOM scan lie on its images, and name no patient."""

import sys

import nibabel as nib
import numpy as np
import pydicom
import pytest
from planted_scan import PLANTED
from pydicom.uid import generate_uid
from skimage.io import imsave

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.outputs.dicom_seg import SEG_FILE
from xaicovid_mm.cli.infer import main
from xaicovid_mm.data_prep.io.image_folder import ImageFolderSpec
from xaicovid_mm.utils.errors import ScanError
from xaicovid_mm.utils.extras import MissingExtraError


@pytest.fixture
def series(dicom_scan):
    """The planted scan with the UIDs that real scans have."""
    study, frame = generate_uid(), generate_uid()
    for path in dicom_scan.iterdir():
        image = pydicom.dcmread(path)
        image.StudyInstanceUID, image.FrameOfReferenceUID = study, frame
        image.save_as(path)
    return dicom_scan


def test_the_segments_are_the_masks_on_the_images(deployed, series, tmp_path):
    highdicom = pytest.importorskip('highdicom')
    CTInferencer(deployed, explain=1, dicom_seg=True)(series, tmp_path / 'out')
    found = highdicom.seg.segread(tmp_path / 'out' / SEG_FILE)
    images = [pydicom.dcmread(path) for path in series.iterdir()]
    images.sort(key=lambda image: image.ImagePositionPatient[2])
    uids = [image.SOPInstanceUID for image in images]
    planes = found.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    for number, name in enumerate(('infection', 'lung')):
        mask = np.asarray(nib.load(tmp_path / 'out' / f'{name}.nii.gz').dataobj)
        np.testing.assert_array_equal(planes[..., number], mask.transpose(2, 1, 0))
        assert planes[..., number].any() == mask.any()
    assert found.get_segment_description(1).segment_label == 'infection'


def test_nothing_planted_is_in_the_segmentation(deployed, series, tmp_path):
    pytest.importorskip('highdicom')
    CTInferencer(deployed, explain=1, dicom_seg=True)(series, tmp_path / 'out')
    content = (tmp_path / 'out' / SEG_FILE).read_bytes()
    assert b'Planted' not in content
    for value in PLANTED.values():
        assert value.encode() not in content


def test_images_without_uids_are_refused_and_nothing_is_left(deployed, dicom_scan, tmp_path):
    pytest.importorskip('highdicom')
    with pytest.raises(ScanError, match='StudyInstanceUID.*leave out --dicom-seg'):
        CTInferencer(deployed, explain=1, dicom_seg=True)(dicom_scan, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def pictures(folder):
    folder.mkdir()
    for number in range(6):
        image = np.full((32, 32), 9 * number, np.uint8)
        imsave(folder / f'{number}.png', image, check_contrast=False)
    return folder


def nifti(folder):
    folder.mkdir()
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 6), np.int16), np.eye(4)), folder / 'a.nii.gz')
    return folder / 'a.nii.gz'


@pytest.mark.parametrize('make, kind', [(pictures, 'pictures'), (nifti, 'NIfTI')])
def test_what_is_no_dicom_is_refused_before_any_work(deployed, tmp_path, monkeypatch, make, kind):
    pytest.importorskip('highdicom')
    inferencer = CTInferencer(
        deployed, dicom_seg=True, images=ImageFolderSpec((-1250, 250), (5, 1, 1))
    )
    monkeypatch.delattr(inferencer, 'predictor')
    monkeypatch.setattr('xaicovid_mm.apis.ct_inferencer.load_case', None)
    with pytest.raises(ScanError, match=f'these are {kind}.*leave out --dicom-seg'):
        inferencer(make(tmp_path / 'in'), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_the_command_refuses_them_before_it_loads_a_model(tmp_path, capsys):
    scan, model = nifti(tmp_path / 'in'), tmp_path / 'no_model'
    with pytest.raises(SystemExit) as stop:
        main([str(scan), '--model', str(model), '--out', str(tmp_path / 'out'), '--dicom-seg'])
    assert stop.value.code == 2 and 'these are NIfTI' in capsys.readouterr().err


def test_without_the_package_nothing_begins(deployed, monkeypatch):
    monkeypatch.setitem(sys.modules, 'highdicom', None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match='dicom-seg'):
        CTInferencer(deployed, dicom_seg=True)
