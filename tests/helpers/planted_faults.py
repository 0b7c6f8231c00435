"""Scans that cannot be read, with the name of an invented patient wherever a name can stand."""

import gzip
import zipfile

import dicom_maker as make
import nibabel as nib
import numpy as np
from PIL import Image

NAME = 'SURNAME'
UID = '1.2.840.113619.2.55.4711'
TEXT_FIELDS = ('RescaleType', 'PhotometricInterpretation', 'Modality')
NUMBER_FIELDS = (
    'RescaleSlope',
    'RescaleIntercept',
    'PixelSpacing',
    'ImagePositionPatient',
    'ImageOrientationPatient',
    'NumberOfFrames',
)


def planted_faults(root):
    """Path by case; every path lies in a folder named after the patient."""
    root = root / f"O'{NAME} of {NAME}"
    root.mkdir()
    makers = {**_series(), **_zips(), **_nifti(), **_pictures()}
    makers['loop'] = lambda path: path.symlink_to(path)
    makers['gone'] = lambda path: None
    faults = {case: root / f'{NAME} {case}' for case in makers}
    for case, path in faults.items():
        makers[case](path)
    return faults


def _series():
    """DICOM folders. The second file is named after the patient and is the one that is wrong."""

    def folder(path, change=lambda file: None, images=None):
        make.series(path, images)
        file = path / f'{NAME}^GIVEN \'x".dcm'
        (path / 'b.dcm').rename(file)
        change(file)

    def write(content):
        return lambda path: folder(path, lambda file: file.write_bytes(content))

    def raw(field, value, vr=None):
        return lambda path: folder(path, lambda file: make.raw(file, field, value, vr))

    def put(k, **fields):
        images = [make.image(n, **(fields if n == k else {})) for n in range(make.SLICES)]
        return lambda path: folder(path, images=images)

    def replaced(old, new):
        return lambda path: folder(
            path, lambda file: file.write_bytes(file.read_bytes().replace(old, new))
        )

    text = f'{NAME}^GIVEN'.encode()
    faults = {f'number in {field}': raw(field, text) for field in NUMBER_FIELDS}
    faults |= {f'text in {field}': raw(field, text) for field in TEXT_FIELDS}
    faults |= {
        'text with quotes': raw('RescaleSlope', b'\'"SURNAME\'"'),
        'long text': raw('RescaleSlope', b'x' * 55 + text * 9),
        'rows of text': raw('Rows', text),
        'another type': raw('Rows', text, 'LO'),
        'series of text': raw('SeriesInstanceUID', text),
        'class of text': raw('SOPClassUID', text),
        'syntax of text': replaced(b'1.2.840.10008.1.2.1\0', b'1.2.SURNAME.GIVEN.1\0'),
        'no DICOM': write(text * 30),
        'damaged': write(b'\0' * 128 + b'DICM' + text * 30),
        'cut': replaced(b'\xe0\x7f\x10\0OW', b''),
        'two at one place': put(1, ImagePositionPatient=[-10, -20, 8.0]),
        'uneven': put(1, ImagePositionPatient=[-10, -20, 5.0]),
        'another spacing': put(1, PixelSpacing=[3, 2.5]),
        'no pixels': put(1, PixelData=None),
        'bad pixels': put(1, PixelData=b'\0' * 46),
        'two series': lambda path: (folder(path), _other_series(path)),
    }
    return faults


def _other_series(path):
    images = [make.image(k, SeriesInstanceUID=UID) for k in range(3)]
    make.series(path / NAME, images)


def _zips():
    def packed(*members):
        def write(path):
            with zipfile.ZipFile(path, 'w') as archive:
                for name, content in members:
                    archive.writestr(name, content)

        return write

    def damaged(path):
        packed((f'{NAME}/{NAME}.dcm', b'x' * 99))(path)
        path.write_bytes(path.read_bytes().replace(b'xxx', b'yyy', 1))

    bad = b'\0' * 128 + b'DICM'
    return {
        'zip of text': packed((f'{NAME}.txt', b'hello')),
        'zip of damage': packed((f"{NAME}'s.dcm", bad), (f'"{NAME}" \'.dcm', bad)),
        'zip with another checksum': damaged,
    }


def _nifti():
    def file(change, suffix='.nii'):
        def write(path):
            image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([-2, -3, 4, 1]))
            header = image.header
            header['descrip'], header['aux_file'] = NAME.encode(), NAME.encode()
            header['intent_name'], header['db_name'] = NAME.encode(), NAME.encode()
            header['vox_offset'], header['magic'] = 352, b'n+1'
            change(header)
            raw = header.binaryblock + b'\0' * 4 + image.dataobj.tobytes()
            path.with_name(path.name + suffix).write_bytes(raw)
            path.symlink_to(path.name + suffix)

        return write

    def magic(header):
        header['magic'] = NAME.encode()[:4]

    def size(header):
        header['dim'][3] = 9

    def packed(path):
        path.write_bytes(gzip.compress(NAME.encode() * 99)[:-9])

    return {'magic.nii': file(magic), 'size.nii': file(size), 'cut.nii.gz': packed}


def _pictures():
    def folder(*shapes, other=None):
        def write(path):
            path.mkdir()
            for number, shape in enumerate(shapes):
                Image.fromarray(np.zeros(shape, np.uint8)).save(path / f'{NAME} {number}.png')
            if other:
                (path / other).write_bytes(b'hello')

        return write

    return {
        'pictures': folder((9, 9)),
        'pictures and text': folder((9, 9), other=f'{NAME}.txt'),
        'pictures of two sizes': folder((9, 9), (9, 8)),
        'a picture that is none': folder((9, 9), other=f'{NAME}.png'),
    }
