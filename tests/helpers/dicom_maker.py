"""Tiny CT series whose every voxel is known."""

from io import BytesIO
from struct import pack

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import data_element_generator
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

ROWS, COLUMNS, SLICES = 4, 6, 5
SPACING = (3.0, 2.0)  # between rows, between columns
STEP = 4.0
UID = '1.2.3.4'


def stored(k):
    """Values of slice k, all different: 100 k + 10 row + column."""
    r, c = np.mgrid[:ROWS, :COLUMNS]
    return (100 * k + 10 * r + c).astype(np.uint16)


def hu(slices=SLICES):
    """What the axial series reads as: head up, front first, right to left."""
    return np.stack([stored(k) for k in range(slices)]).astype(int) - 1024


def image(k=0, **changes):
    """Slice k of an axial series; a change of None takes the field away."""
    fields = dict(
        SOPClassUID=CTImageStorage,
        SOPInstanceUID=f'{UID}.9.{k + 1}',
        Modality='CT',
        ImageType=['ORIGINAL', 'PRIMARY', 'AXIAL'],
        SeriesInstanceUID=UID,
        PatientName='SECRET^PERSON',
        ImagePositionPatient=[-10.0, -20.0, STEP * k],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SamplesPerPixel=1,
        PhotometricInterpretation='MONOCHROME2',
        Rows=ROWS,
        Columns=COLUMNS,
        PixelSpacing=list(SPACING),
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=0,
        RescaleIntercept=-1024,
        RescaleSlope=1,
        PixelData=stored(k).tobytes(),
    )
    ds = FileDataset(None, {}, preamble=b'\0' * 128, file_meta=FileMetaDataset())
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for field, value in (fields | changes).items():
        if value is not None:
            setattr(ds, field, value)
    if 'PixelData' in ds:
        ds['PixelData'].VR = 'OW'
    return ds


def raw(path, field, value, vr=None):
    """Put bytes into a file that pydicom would refuse to write."""
    file, start, elements = BytesIO(path.read_bytes()), 132, {}
    head = file.read(start)
    for element in data_element_generator(file, False, True):
        elements[element.tag] = file.getvalue()[start : file.tell()]
        start = file.tell()
    tag = Tag(tag_for_keyword(field))
    value += b' ' * (len(value) % 2)
    vr = (vr or dictionary_VR(field)).encode()
    elements[tag] = pack('<HH2sH', tag.group, tag.element, vr, len(value)) + value
    path.write_bytes(head + b''.join(elements[tag] for tag in sorted(elements)))


def save(path, ds):
    ds.save_as(path, enforce_file_format=True)
    return path


def series(folder, images=None):
    """Files a.dcm, b.dcm ... in an order that says nothing of their place."""
    folder.mkdir(exist_ok=True)
    images = [image(k) for k in range(SLICES)] if images is None else images
    for number, ds in enumerate(images):
        save(folder / f'{"daecb"[number % 5]}{number // 5 or ""}.dcm', ds)
    return folder


def enhanced(order=range(SLICES)):
    """The same series as one multi-frame file, frames in the order given."""
    ds = image(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=SLICES)
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = _one(ds, 'PixelSpacing')
    shared.PlaneOrientationSequence = _one(ds, 'ImageOrientationPatient')
    shared.PixelValueTransformationSequence = _one(ds, 'RescaleIntercept', 'RescaleSlope')
    for k in order:
        frames.append(Dataset())
        frames[-1].PlanePositionSequence = _one(image(k), 'ImagePositionPatient')
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    del ds.ImagePositionPatient
    ds.PixelData = b''.join(stored(k).tobytes() for k in order)
    return ds


def _one(ds, *fields):
    item = Dataset()
    for field in fields:
        item.add(ds.data_element(field))
        if field != 'ImagePositionPatient':
            del ds[field]
    return Sequence([item])
