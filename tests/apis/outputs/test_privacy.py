"""Nothing of a DICOM header gets out."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from xaicovid_mm.apis import CTInferencer

PLANTED = dict(
    PatientName='Planted^Name',
    PatientID='PLANTED-ID-4711',
    PatientBirthDate='19330303',
    StudyDate='20200404',
    AccessionNumber='PLANTED-ACC',
    InstitutionName='Planted Hospital',
    ReferringPhysicianName='Planted^Doctor',
    StudyDescription='Planted study',
)


@pytest.fixture
def dicom_scan(chest, tmp_path):
    """The chest as a DICOM series whose headers and files name a patient."""
    folder = tmp_path / 'Planted_Name_19330303'
    folder.mkdir()
    series, z_mm = generate_uid(), chest.spacing[0]
    for number, plane in enumerate(chest.hu):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        image = FileDataset(None, {}, file_meta=meta, preamble=b'\0' * 128)
        for key, value in PLANTED.items():
            setattr(image, key, value)
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        image.Modality, image.SeriesInstanceUID = 'CT', series
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [0, 0, number * z_mm]
        image.PixelSpacing = [chest.spacing[1], chest.spacing[2]]
        image.Rows, image.Columns = plane.shape
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation, image.SamplesPerPixel = 1, 1
        image.PhotometricInterpretation = 'MONOCHROME2'
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = plane.astype(np.int16).tobytes()
        image.save_as(folder / f'Planted{number:03d}.dcm', enforce_file_format=True)
    return folder


def test_no_name_id_or_date_of_a_dicom_header_is_in_any_output(served, dicom_scan, tmp_path):
    import gzip

    assert pydicom.dcmread(dicom_scan / 'Planted000.dcm').PatientID == 'PLANTED-ID-4711'
    CTInferencer(served, explain=1)(dicom_scan, tmp_path / 'out' / 'case1')
    files = list((tmp_path / 'out').rglob('*.*'))
    assert len(files) == 7
    for path in files:
        content = path.read_bytes()
        if path.suffix == '.gz':
            content += gzip.decompress(content)
        for secret in (*PLANTED.values(), 'Planted', str(tmp_path)):
            assert secret.encode() not in content, (path.name, secret)
