"""Masks of a DICOM scan as DICOM-SEG, which viewers show on top of the images."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, generate_uid

from ... import __version__
from ...data_prep.io.dicom.series import series_slices
from ...data_prep.io.image_folder import is_image_folder
from ...data_prep.io.scan import NIFTI_SUFFIXES
from ...utils.errors import ScanError
from ...utils.extras import need_extra

SEG_FILE = 'segmentation.dcm'
COPIED_FIELDS = [
    'SOPClassUID',
    'SOPInstanceUID',
    'StudyInstanceUID',
    'SeriesInstanceUID',
    'FrameOfReferenceUID',
    'Modality',
    'Rows',
    'Columns',
    'PixelSpacing',
    'SliceThickness',
    'ImagePositionPatient',
    'ImageOrientationPatient',
]
"""Fields copied from the images: their position, and the UIDs by which a viewer finds them."""
REQUIRED_UIDS = ('SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'FrameOfReferenceUID')
EMPTY_FIELDS = (
    'PatientID',
    'PatientName',
    'PatientBirthDate',
    'PatientSex',
    'StudyDate',
    'StudyTime',
    'StudyID',
    'AccessionNumber',
    'ReferringPhysicianName',
)
"""Fields that DICOM requires and that are left empty, to protect the patient."""


def need_highdicom() -> None:
    """Check that highdicom is installed.

    Raises:
        MissingExtraError: If it is not.
    """
    need_extra('highdicom', 'dicom-seg', 'DICOM-SEG')


def check_source(case: str | Path, series: str = '') -> None:
    """Check, before any work, that a DICOM-SEG can lie on a scan.

    Raises:
        ScanError: If the scan is no DICOM or multi-frame, or its images lack a UID.
    """
    need_dicom(case)
    _source_images(Path(case), series)


def need_dicom(case: str | Path) -> None:
    """Check that a scan is no NIfTI file and no folder of pictures.

    Raises:
        ScanError: If it is.
    """
    case = Path(case)
    if is_image_folder(case) or case.name.lower().endswith(NIFTI_SUFFIXES):
        kind = 'pictures' if case.is_dir() else 'NIfTI'
        raise ScanError(
            f'{case}: a DICOM-SEG lies on the images of a DICOM series, and these are {kind}',
            'give the DICOM series, or leave out --dicom-seg',
        )


def write_dicom_seg(path: Path, case: Path, masks: dict[str, np.ndarray], series: str = '') -> None:
    """Write the masks of a DICOM scan as the segments of a binary DICOM-SEG file.

    The name, id, birth date and sex of the patient and the dates and numbers of the study are left
    empty. The UIDs of the study, the series and the images are kept, because a viewer finds the
    images by them.

    Args:
        path: File to write.
        case: Folder or zip of the series.
        masks: ``infection`` and ``lung``, each bool (columns, rows, slices), the axis order of
            the scan.
        series: SeriesInstanceUID, if the folder or zip holds several CT series.

    Raises:
        ScanError: If the scan is multi-frame, or its images lack a UID.
    """
    from highdicom.seg import Segmentation

    frames = [mask.astype(np.uint8).transpose(2, 1, 0) for mask in masks.values()]
    segmentation = Segmentation(
        source_images=_source_images(case, series),
        pixel_array=np.stack(frames, axis=-1),
        segmentation_type='BINARY',
        segment_descriptions=[_segment(k, name) for k, name in enumerate(masks, start=1)],
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer='xaicovid_mm',
        manufacturer_model_name='xaicovid_mm, research use only',
        software_versions=__version__,
        device_serial_number='0',
    )
    segmentation.save_as(path)


def _source_images(case: Path, series: str) -> list[Dataset]:
    slices = series_slices(case, series or None)
    step_mm = float(np.linalg.norm(slices[1].position - slices[0].position))
    return [_source_image(case, s.file.fields(COPIED_FIELDS), step_mm) for s in slices]


def _source_image(case: Path, image: Dataset, step_mm: float) -> Dataset:
    """Return a copy of an image's position and UIDs, with patient and study left empty."""
    missing = [uid for uid in REQUIRED_UIDS if not image.get(uid)]
    if missing or image.SOPClassUID != CTImageStorage:
        what = f'have no {", ".join(missing)}' if missing else 'are multi-frame'
        raise ScanError(
            f'{case}: its images {what}, so no DICOM-SEG can lie on them',
            'leave out --dicom-seg',
        )
    if image.get('SliceThickness') is None:
        image.SliceThickness = step_mm
    for name in EMPTY_FIELDS:
        setattr(image, name, '')
    return image


def _segment(number: int, name: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription

    category, kind = {
        'infection': (
            codes.SCT.MorphologicallyAbnormalStructure,
            codes.SCT.Lesion,
        ),
        'lung': (codes.SCT.AnatomicalStructure, codes.SCT.Lung),
    }[name]
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type='AUTOMATIC',
        algorithm_identification=AlgorithmIdentificationSequence(
            name='xaicovid_mm', version=__version__, family=codes.DCM.ArtificialIntelligence
        ),
    )
