"""Masks of a DICOM scan as DICOM-SEG, for viewers that lay them over the images."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, generate_uid

from ... import __version__
from ...data_prep.io.dicom.series import series_slices
from ...utils.errors import StoreError

SEG_FILE = 'segmentation.dcm'
GEOMETRY = [
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
"""All that is read of the images: where they lie, and the UIDs by which a viewer finds them."""
UIDS = ('SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'FrameOfReferenceUID')
EMPTY = (
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


def need_highdicom() -> None:
    """Refuse to begin without the package.

    Raises:
        ImportError: If it is not there.
    """
    if find_spec('highdicom') is None:
        raise ImportError("DICOM-SEG needs highdicom: pip install 'xaicovid_mm[dicom-seg]'")


def is_dicom(case: str | Path) -> bool:
    """Whether a scan is DICOM: all that is no NIfTI file."""
    return not str(case).lower().endswith(('.nii', '.nii.gz'))


def write_dicom_seg(path: Path, case: Path, masks: dict[str, np.ndarray]) -> None:
    """Write the masks ``infection`` and ``lung`` of a scan as a binary DICOM-SEG.

    Name, id, birth date and sex of the patient, dates and numbers of the study are left empty; its
    UIDs and those of the series and the images stay, since a viewer finds the images by them.

    Args:
        path: File to write.
        case: Folder or zip of the series.
        masks: bool (columns, rows, slices), in the axis order of the scan.

    Raises:
        StoreError: For a multi-frame scan, or images without the UIDs.
    """
    from highdicom.seg import Segmentation

    pieces = series_slices(case)
    step = float(np.linalg.norm(pieces[1].position - pieces[0].position))
    images = [_image(case, piece.file.fields(GEOMETRY), step) for piece in pieces]
    frames = [mask.astype(np.uint8).transpose(2, 1, 0) for mask in masks.values()]
    segmentation = Segmentation(
        source_images=images,
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


def _image(case: Path, image: Dataset, step_mm: float) -> Dataset:
    """Geometry and UIDs of an image, its patient and study empty."""
    missing = [uid for uid in UIDS if not image.get(uid)]
    if missing or image.SOPClassUID != CTImageStorage:
        what = f'have no {", ".join(missing)}' if missing else 'are multi-frame'
        raise StoreError(
            f'{case}: its images {what}, so no DICOM-SEG can lie on them',
            'leave out --dicom-seg',
        )
    if image.get('SliceThickness') is None:
        image.SliceThickness = step_mm
    for name in EMPTY:
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
