"""A DICOM series whose headers and file names hold the data of an invented patient."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

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


def write_planted_series(folder, hu, spacing_mm):
    """Write a series of slices (Z, Y, X), foot first, that names the patient of ``PLANTED``."""
    series = generate_uid()
    for number, plane in enumerate(hu):
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
        image.ImagePositionPatient = [0, 0, number * spacing_mm[0]]
        image.PixelSpacing = list(spacing_mm[1:])
        image.Rows, image.Columns = plane.shape
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation, image.SamplesPerPixel = 1, 1
        image.PhotometricInterpretation = 'MONOCHROME2'
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = plane.astype(np.int16).tobytes()
        image.save_as(folder / f'Planted{number:03d}.dcm', enforce_file_format=True)
