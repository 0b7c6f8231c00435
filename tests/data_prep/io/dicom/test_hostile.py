"""DICOM files that lie, are damaged, or mean harm: refused by name, or read exactly."""

import contextlib
import os
import struct
import tracemalloc
import zipfile
import zlib

import dicom_maker as make
import numpy as np
import pytest
from pydicom.encaps import encapsulate, generate_frames

from xaicovid_mm.data_prep.io import limits
from xaicovid_mm.data_prep.io.dicom import files
from xaicovid_mm.data_prep.io.dicom.jpeg_2000 import check_jpeg_2000
from xaicovid_mm.data_prep.io.scan import read_scan
from xaicovid_mm.utils.errors import ScanError


def refused(path, cause):
    with pytest.raises(ScanError, match=f'(?s){cause}') as error:
        read_scan(path)
    assert len(str(error.value)) < 2500


def one_bad(folder, change):
    """A series whose slice 2, file e.dcm, is changed."""
    images = [make.image(k) for k in range(make.SLICES)]
    change(images[2])
    return make.series(folder, images)


FIELDS = {
    'no modality': (dict(Modality=None), 'a.dcm .CT image of another modality'),
    'modality of MR': (dict(Modality='MR'), "CT image of another modality, 'MR'"),
    'secondary capture': (
        dict(SOPClassUID='1.2.840.10008.5.1.4.1.1.7'),
        'a.dcm .*Secondary Capture',
    ),
    'scouts only': (dict(ImageType=['ORIGINAL', 'PRIMARY', 'LOCALIZER']), 'd.dcm.*localizer'),
    'no series UID': (dict(SeriesInstanceUID=None), 'SeriesInstanceUID is absent'),
    'no pixels': (dict(PixelData=None), 'PixelData cannot be decoded .absent'),
    'too few pixels': (dict(PixelData=b'\0' * 46), 'a.dcm: PixelData cannot be decoded'),
    'too many pixels': (dict(PixelData=b'\0' * 50), 'a.dcm: PixelData cannot be decoded'),
    'pixels of two frames': (dict(PixelData=b'\0' * 96), 'a.dcm: PixelData cannot be decoded'),
    'no rows': (dict(Rows=None), 'Rows is absent'),
    'zero columns': (dict(Columns=0), 'Columns is 0'),
    'huge size': (dict(Rows=65535, Columns=65535), 'Rows is 65535, must be from 2 to 4096'),
    'colour': (dict(SamplesPerPixel=3, PhotometricInterpretation='RGB'), 'SamplesPerPixel is 3'),
    'palette': (dict(PhotometricInterpretation='PALETTE COLOR'), 'PALETTE COLOR'),
    'bits allocated 8': (dict(BitsAllocated=8), 'BitsAllocated is 8'),
    'bits allocated 12': (dict(BitsAllocated=12), 'BitsAllocated is 12'),
    'bits allocated 1': (dict(BitsAllocated=1), 'BitsAllocated is 1,'),
    'bits stored 17': (dict(BitsStored=17, HighBit=16), 'BitsStored is 17'),
    'bits stored 0': (dict(BitsStored=0), 'BitsStored is 0'),
    'high bit 15 of 12': (dict(HighBit=15), 'HighBit is 15, must be 11'),
    'values wider than stored': (dict(BitsStored=8, HighBit=7), 'within the 8 bits'),
    'sign 2': (dict(PixelRepresentation=2), 'PixelRepresentation is 2'),
    'no spacing': (dict(PixelSpacing=None), 'PixelSpacing is absent'),
    'one spacing': (dict(PixelSpacing=[1]), "PixelSpacing is '1.0'"),
    'zero spacing': (dict(PixelSpacing=[0, 1]), r'PixelSpacing is \[0.0, 1.0\]'),
    'negative spacing': (dict(PixelSpacing=[-1, 1]), 'PixelSpacing is .*-1.0'),
    'spacing of a metre': (dict(PixelSpacing=[1000, 1000]), 'PixelSpacing is .*1000'),
    'no position': (dict(ImagePositionPatient=None), 'ImagePositionPatient is absent'),
    'one position for all': (dict(ImagePositionPatient=[0, 0, 0]), 'two slices at one position'),
    'position far away': (dict(ImagePositionPatient=[0, 0, 1e9]), 'ImagePositionPatient is'),
    'no orientation': (dict(ImageOrientationPatient=None), 'ImageOrientationPatient is absent'),
    'zero orientation': (dict(ImageOrientationPatient=[0] * 6), 'unit vectors'),
    'long orientation': (dict(ImageOrientationPatient=[2, 0, 0, 0, 2, 0]), 'unit vectors'),
    'parallel orientation': (dict(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), 'unit vectors'),
    'no slope': (dict(RescaleSlope=None), 'RescaleSlope is absent'),
    'zero slope': (dict(RescaleSlope=0), 'RescaleSlope is 0.0'),
    'huge slope': (dict(RescaleSlope='1e300'), 'RescaleSlope is 1e\\+300'),
    'overflowing slope': (dict(RescaleSlope='1e307'), 'RescaleSlope is 1e\\+307'),
    'no intercept': (dict(RescaleIntercept=None), 'RescaleIntercept is absent'),
    'huge intercept': (dict(RescaleIntercept='1e9'), 'within 16 bits'),
    'values of no HU': (dict(RescaleType='Z_EFF'), "RescaleType is 'Z_EFF'"),
    'padding among tissue': (dict(PixelPaddingValue=200), 'PixelPaddingValue is .-824'),
    'frames without description': (dict(NumberOfFrames=2), 'NumberOfFrames is 2'),
}


@pytest.mark.parametrize('case', FIELDS)
def test_a_series_with_a_bad_field_is_refused(tmp_path, case):
    changes, cause = FIELDS[case]
    images = [make.image(k, **changes) for k in range(make.SLICES)]
    refused(make.series(tmp_path / 's', images), cause)


GARBAGE = {
    'PixelSpacing': [
        b'1e400\\1',
        b'nan\\1',
        b'inf\\1',
        b'a\\b',
        b'1_0\\1',
        b'1\\1\\1',
        b'1,5\\1,5',
    ],
    'RescaleSlope': [b'1e400', b'-inf', b'NaN', b'', b'1\\2', b'0x10', b'\xff\xfe'],
    'RescaleIntercept': [b'1e999999999', b'--1', b'1 0'],
    'ImagePositionPatient': [b'0\\0', b'0\\0\\1e400', b'0\\0\\text', b'\\\\'],
    'ImageOrientationPatient': [b'1\\0\\0\\0\\1', b'1\\0\\0\\0\\1\\nan', b'9' * 400],
    'NumberOfFrames': [b'1e999999999', b'-1', b'two', b'0', b'1.5'],
}


@pytest.mark.parametrize(
    'field, value', [(f, v) for f, values in GARBAGE.items() for v in values], ids=str
)
def test_numbers_that_are_none_are_refused(tmp_path, field, value):
    folder = make.series(tmp_path / 's')
    make.raw(folder / 'e.dcm', field, value)
    refused(folder, f'e.dcm: {field}')


@pytest.mark.parametrize(
    'field, value, kind',
    [
        ('Rows', b'1e999999999', 'IS'),
        ('Rows', b'\4\0\4\0', 'US'),
        ('RescaleSlope', b'1   ', 'LO'),
        ('PixelSpacing', struct.pack('<dd', 3, 2), 'FD'),
        ('BitsStored', b'12', 'DS'),
        ('PixelPaddingValue', b'-2000 ', 'IS'),
        ('SeriesInstanceUID', b'1.2.3.4 ', 'IS'),
        ('PerFrameFunctionalGroupsSequence', b'1e999999999', 'IS'),
    ],
)
def test_a_field_of_another_type_is_refused(tmp_path, field, value, kind):
    folder = make.series(tmp_path / 's')
    make.raw(folder / 'e.dcm', field, value, kind)
    refused(folder, f'e.dcm: {field}')


def moved(k, x=0.0, y=0.0, z=0.0):
    def change(images):
        where = np.array(images[k].ImagePositionPatient, float) + (x, y, z)
        images[k].ImagePositionPatient = list(where)

    return change


def tilted(images):
    for k, ds in enumerate(images):
        ds.ImagePositionPatient = [-10, -20 + 1.5 * k, 4 * k]


def bent(images):
    for k, ds in enumerate(images):
        ds.ImagePositionPatient = [-10, -20 + (k - 2) ** 2, 4 * k]


def put(k, **fields):
    def change(images):
        for field, value in fields.items():
            setattr(images[k], field, value)

    return change


STACKS = {
    'a slice is missing': (lambda s: s.pop(2), '8.000 mm apart.*a slice is missing'),
    'two slices at one place': (
        lambda s: s.append(make.image(2, RescaleSlope=2)),
        'two slices at one position',
    ),
    'one slice': (lambda s: s.__delitem__(slice(1, 5)), "'1.2.3.4': 1 slices"),
    'uneven steps': (moved(2, z=0.5), 'missing or too many'),
    'gantry tilt': (tilted, 'gantry tilt'),
    'a bent stack': (bent, 'off the line'),
    'a slice moved sideways': (moved(2, x=3), 'off the line'),
    'another orientation': (
        put(1, ImageOrientationPatient=[0, 1, 0, 0, 0, 1]),
        'b.dcm and .*a.dcm differ in ImageOrientationPatient',
    ),
    'another spacing': (
        put(1, PixelSpacing=[3, 2.5]),
        r'PixelSpacing: .*2.0\] and .*2.5\]',
    ),
    'another size': (put(1, Rows=3, PixelData=b'\0' * 36), 'differ in Rows and Columns'),
    'a slice of another series': (put(2, SeriesInstanceUID='9.9'), 'a slice is missing'),
    'a slice that is no CT': (put(2, Modality='PT'), 'a slice is missing'),
}


@pytest.mark.parametrize('case', STACKS)
def test_a_stack_that_is_no_straight_scan_is_refused(tmp_path, case):
    change, cause = STACKS[case]
    images = [make.image(k) for k in range(make.SLICES)]
    change(images)
    refused(make.series(tmp_path / 's', images), cause)


def cut(part):
    return lambda data: data[: int(len(data) * part)]


DAMAGE = {
    'cut in the pixels': (cut(0.97), 'e.dcm'),
    'cut in the header': (cut(0.6), 'e.dcm'),
    'cut in the meta header': (lambda data: data[:140], 'e.dcm'),
    'only the preamble': (lambda data: data[:132], 'e.dcm'),
    'zeros after the preamble': (lambda data: data[:132] + b'\0' * 200, 'e.dcm'),
    'noise after the preamble': (lambda data: data[:132] + b'\x93\xf1Zz' * 99, 'e.dcm'),
    'empty': (lambda data: b'', 'a slice is missing'),
    'text': (lambda data: b'hello', 'a slice is missing'),
    'no preamble and cut': (lambda data: data[132:300], 'a slice is missing'),
    'no preamble and noise': (
        lambda data: b'\2\0\1\0OB' + b'\x93\xf1Zz' * 99,
        'a slice is missing',
    ),
    'deflated bomb': (
        lambda data: (
            data[:132]
            + data[132:].split(b'1.2.840.10008.1.2.1\0')[0][:-2]
            + b'\x16\x001.2.840.10008.1.2.1.99'
            + zlib.compressobj(9, zlib.DEFLATED, -15).compress(bytes(10**6))
        ),
        'e.dcm: transfer syntax .Deflated',
    ),
    'video': (
        lambda data: data.replace(b'1.2.840.10008.1.2.1\0', b'1.2.840.10008.9.9.9\0'),
        'e.dcm: transfer syntax .1.2.840.10008.9.9.9',
    ),
}


@pytest.mark.parametrize('case', DAMAGE)
def test_a_damaged_file_is_refused(tmp_path, case):
    change, cause = DAMAGE[case]
    folder = make.series(tmp_path / 's')
    file = folder / 'e.dcm'
    file.write_bytes(change(file.read_bytes()))
    refused(folder, cause)


def jpeg(size=(make.ROWS, make.COLUMNS), frame=0xC3, head=b'', tail=b''):
    segment = bytes([12]) + size[0].to_bytes(2, 'big') + size[1].to_bytes(2, 'big') + b'\1\1\x11\0'
    scan = b'\xff\xda\0\x08\1\1\0\1\0\0'
    return b'\xff\xd8' + head + bytes([255, frame]) + b'\0\x0b' + segment + scan + tail


@pytest.mark.parametrize(
    'code, cause',
    [
        (b'no JPEG at all', 'without a start'),
        (b'\xff\xd8', 'segment at byte 2'),
        (jpeg()[:12], 'segment at byte 2'),
        (jpeg(size=(4000, 6000)), 'JPEG of 4000 x 6000'),
        (jpeg(frame=0xC0), 'marker 0xc0'),
        (jpeg(head=b'\xff\xd1\0\4ab'), 'marker 0xd1'),
        (jpeg(head=jpeg()[2:15]), 'marker 0xda'),
        (jpeg(), 'Unable to decode'),
        (jpeg(tail=b'\xff\xd9'), 'Unable to decode'),
    ],
)
def test_a_jpeg_that_would_harm_the_decoder_is_refused(tmp_path, code, cause):
    import pydicom

    def change(ds):
        ds.PixelData = pydicom.encaps.encapsulate([code])
        ds.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.4.70'
        ds['PixelData'].VR = 'OB'
        ds['PixelData'].is_undefined_length = True

    refused(one_bad(tmp_path / 's', change), f'e.dcm: PixelData cannot be decoded .*{cause}')


def test_bits_outside_of_those_stored_are_refused_unless_they_are_the_sign(tmp_path):
    values = np.array([[-5, 0x0FFB, 7, 0, 0, 0]] * 4, np.int16)  # -5 twice: 16 and 12 bits
    signed = dict(PixelRepresentation=1, RescaleIntercept=0, PixelData=values.tobytes())
    images = [make.image(k, **signed) for k in range(2)]
    assert read_scan(make.series(tmp_path / 's', images)).data[0, 0, :3].tolist() == [-5, -5, 7]
    overlay = (make.stored(0) | 0x8000).tobytes()
    images = [make.image(k, PixelData=overlay) for k in range(2)]
    refused(make.series(tmp_path / 't', images), 'PixelData is .from 32768')


def test_an_enhanced_file_with_a_frame_too_few_is_refused(tmp_path):
    ds = make.enhanced()
    del ds.PerFrameFunctionalGroupsSequence[2]
    refused(make.save(tmp_path / 'e.dcm', ds), 'e.dcm: NumberOfFrames is 5, must be 4')


def test_an_enhanced_file_without_a_position_is_refused(tmp_path):
    ds = make.enhanced()
    del ds.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    refused(make.save(tmp_path / 'e.dcm', ds), 'ImagePositionPatient is absent')


def test_a_folder_without_dicom_says_what_it_holds(tmp_path):
    (tmp_path / 'a.txt').write_text('x')
    refused(tmp_path, 'holds 0 CT series.*found: none.*a.txt .no DICOM file')


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path):
    refused(tmp_path, 'ignored: nothing')
    refused(tmp_path / 'none', 'none cannot be read')


def test_a_pipe_in_a_folder_does_not_stop_the_reader(tmp_path):
    folder = make.series(tmp_path / 's')
    os.mkfifo(folder / 'pipe')
    assert read_scan(folder).data.shape == (5, 4, 6)


@pytest.mark.parametrize('depth', [40, 4000])
def test_sequences_nested_without_end_are_read_or_refused(tmp_path, depth):
    begin, item = b'\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff', b'\xfe\xff\0\xe0\xff\xff\xff\xff'
    end = b'\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0'
    folder = make.series(tmp_path / 's')
    data = (folder / 'e.dcm').read_bytes()
    at = data.index(b'\x10\0\x10\0PN')
    nested = (begin + item) * depth + end * depth
    (folder / 'e.dcm').write_bytes(data[:at] + nested + data[at:])
    if depth > 1000:
        refused(folder, 'e.dcm')
    else:
        assert read_scan(folder).data.shape == (5, 4, 6)


@pytest.mark.parametrize(
    'spoil, cause',
    [
        (lambda data: data[:-30], 'cannot be read as zip'),
        (lambda data: data[:50], 'cannot be read as zip'),
        (lambda data: data[:60] + b'\xff\xff\xff' + data[63:], 'cannot be read as zip'),
    ],
)
def test_a_damaged_zip_is_refused(tmp_path, spoil, cause):
    refused(zipped(tmp_path, spoil), f's.zip.*{cause}')


def zipped(tmp_path, spoil=lambda data: data):
    path = tmp_path / 's.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for file in make.series(tmp_path / 's').iterdir():
            archive.write(file, file.name)
    path.write_bytes(spoil(path.read_bytes()))
    return path


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, 'MAX_BYTES', 10**5)
    path = tmp_path / 'bomb.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a', bytes(10**6))
    assert path.stat().st_size < 2000
    refused(path, 'bomb.zip asks for 1000000 bytes in memory, 100000 is the most')


def test_a_zip_that_shrinks_to_a_hundredth_is_refused(tmp_path):
    path = tmp_path / 'bomb.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for k in range(7):
            archive.writestr(f'{k}', bytes(10**7))
    refused(path, 'asks for 70000000 unpacked, more than 100 times as many')


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_is_refused(tmp_path, method):
    path = tmp_path / 'odd.zip'
    with zipfile.ZipFile(path, 'w', method) as archive:
        archive.writestr('a', bytes(10**6))
    refused(path, 'another method than deflate')


def test_a_zip_that_says_less_than_it_unpacks_to_is_refused(tmp_path):
    make.series(tmp_path / 's')
    content = (tmp_path / 's' / 'a.dcm').read_bytes()
    path = tmp_path / 'lying.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a', content + bytes(10**7))
    size, short = struct.pack('<I', len(content) + 10**7), struct.pack('<I', len(content))
    path.write_bytes(path.read_bytes().replace(size, short))
    refused(path, 'cannot be read as (zip|DICOM)|0 CT series')


def traced_refusal(path, cause):
    tracemalloc.start()
    refused(path, cause)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize('packed', [False, True])
def test_a_file_much_longer_than_its_pixels_is_refused_unread(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(files, 'MAX_REST_BYTES', 10**6)
    folder = make.series(tmp_path / 's')
    for file in folder.iterdir():
        data = file.read_bytes()
        at = data.index(b'\xe0\x7f\x10\0OW')
        long = struct.pack('<I', 12 << 20)
        file.write_bytes(data[: at + 8] + long + np.random.default_rng(0).bytes(12 << 20))
    if packed:
        with zipfile.ZipFile(
            tmp_path / 's.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=1
        ) as zipped:
            for file in folder.iterdir():
                zipped.write(file, file.name)
        folder = tmp_path / 's.zip'
    assert traced_refusal(folder, 'a.dcm.* bytes, for 48 bytes of pixels') < 10**7


def compressed(folder, change=lambda code: code, syntax='1.2.840.10008.1.2.4.90', **fields):
    """A series in JPEG 2000 whose codestream is changed."""
    images = []
    for k in range(make.SLICES):
        pixels = np.kron(make.stored(k), np.ones((8, 8), np.uint16))
        ds = make.image(k, Rows=32, Columns=48, PixelData=pixels.tobytes())
        ds.compress(syntax, encoding_plugin='pylibjpeg')
        code = bytearray(next(generate_frames(ds.PixelData, number_of_frames=1)))
        ds.PixelData = encapsulate([bytes(change(code))])
        for field, value in fields.items():
            setattr(ds, field, value)
        images.append(ds)
    return make.series(folder, images)


def patched(marker, at, value):
    def change(code):
        start = code.index(marker) + 2 + at
        code[start : start + len(value)] = value
        return code

    return change


SIZE, STYLE = b'\xff\x51', b'\xff\x52'
JPEG_2000 = {
    'as it is': (lambda code: code, None),
    'a billion pixels': (
        patched(SIZE, 4, struct.pack('>II', 2**15, 2**15)),
        '32768 x 32768 pixels',
    ),
    'another width': (patched(SIZE, 4, struct.pack('>I', 49)), 'of 32 x 49 pixels'),
    'an offset': (patched(SIZE, 12, struct.pack('>II', 1, 1)), 'of 31 x 47 pixels'),
    'tiles of one pixel': (patched(SIZE, 20, struct.pack('>II', 1, 1)), None),
    'tiles of none': (patched(SIZE, 20, struct.pack('>II', 0, 0)), 'tiles'),
    'many layers': (patched(STYLE, 4, b'\xff\xff'), '65535 layers'),
    'precincts of one pixel': (
        lambda code: code.replace(
            STYLE + code[code.index(STYLE) + 2 :][:12],
            STYLE + b'\0\x12' + b'\1' + code[code.index(STYLE) + 5 :][:9] + b'\0' * 6,
        ),
        None,
    ),
    'cut in the header': (lambda code: code[:30], 'damaged'),
    'no marker': (lambda code: b'\0' + code, 'without a start marker'),
    'boxes': (lambda code: b'\0\0\0\x0cjP  \r\n\x87\n' + code, 'boxes'),
    '32 bits': (patched(SIZE, 38, b'\x1f'), 'of 32 bits'),
}


@pytest.mark.parametrize('case', JPEG_2000)
def test_a_jpeg_2000_is_checked_before_it_asks_for_memory(tmp_path, case):
    change, cause = JPEG_2000[case]
    folder = compressed(tmp_path / 's', change)
    if cause:
        refused(folder, f'a.dcm: PixelData cannot be decoded .JPEG 2000.*{cause}')
    else:
        with contextlib.suppress(ScanError):
            assert read_scan(folder).data.shape == (5, 32, 48)


@pytest.mark.parametrize(
    'segment, cause',
    [
        (b'\xff\x52\0\x12\1\0\0\1\0\5\4\4\0\1' + b'\0' * 6, 'with 98304 precincts'),
        (b'\xff\x53\0\x0f\0\1\5\4\4\0\1' + b'\0' * 6, 'with 98304 precincts'),
        (b'\xff\x52\0\x0c\0\0\xff\xff\0\5\4\4\0\1', '65535 layers'),
        (b'\xff\x53\0\x04\0\1', 'coding style that is cut'),
        (b'\xff\x52\0\x40', 'damaged'),
    ],
)
@pytest.mark.parametrize('in_tile', [False, True])
def test_a_jpeg_2000_style_is_checked_in_the_header_and_in_every_tile(segment, cause, in_tile):
    size = struct.pack('>H8IHBBB', 0, 128, 128, 0, 0, 128, 128, 0, 0, 1, 15, 1, 1)
    code = b'\xff\x4f\xff\x51' + struct.pack('>H', len(size) + 2) + size
    tile = struct.pack('>HHHIBB', 0xFF90, 10, 0, 0, 0, 1)
    code += tile + segment if in_tile else segment + tile
    with pytest.raises(ValueError, match=cause):
        check_jpeg_2000(code + b'\xff\x93', (128, 128))


def test_a_jpeg_2000_may_not_have_more_tiles_than_a_slice_needs():
    size = struct.pack('>H8IHBBB', 0, 512, 512, 0, 0, 4, 4, 0, 0, 1, 15, 1, 1)
    code = b'\xff\x4f\xff\x51' + struct.pack('>H', len(size) + 2) + size
    with pytest.raises(ValueError, match='tiles of 4 x 4 pixels'):
        check_jpeg_2000(code, (512, 512))


def test_an_rle_frame_that_unpacks_to_more_than_its_pixels_is_refused_without_memory(tmp_path):
    images = []
    for k in range(make.SLICES):
        segment = b'\x81\0' * 10**6
        header = struct.pack('<16I', 2, 64, 64 + len(segment), *[0] * 13)
        ds = make.image(k, PixelData=encapsulate([header + segment + b'\x81\0']))
        ds.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.5'
        ds['PixelData'].is_undefined_length = True
        images.append(ds)
    folder = make.series(tmp_path / 's', images)
    assert traced_refusal(folder, 'RLE of 2000066 bytes for 48 bytes of pixels') < 10**8


def test_a_zip_locked_by_a_password_is_refused(tmp_path):
    def lock(data):
        for mark, at in ((b'PK\3\4', 6), (b'PK\1\2', 8)):
            start = data.index(mark) + at
            data = data[:start] + b'\1\0' + data[start + 2 :]
        return data

    refused(zipped(tmp_path, lock), 's.zip.*cannot be read as zip')


@pytest.mark.parametrize(
    'content, kind',
    [
        (b'', 'an empty file'),
        (b'\x89PNG\r\n', 'a PNG image'),
        (b'NRRD0004', 'an NRRD file'),
        (b'ObjectType = Image', 'a MetaImage header'),
        (b'\x93NUMPY\1\0', 'a NumPy array'),
        (b'\x1f\x8b\x08', 'a gzip file without .nii.gz in its name'),
        (b'\xff\xd8\xff\xe0', 'a JPEG image'),
        (b'case,patient', 'an unknown file'),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(tmp_path, content, kind):
    (tmp_path / 'scan.x').write_bytes(content)
    refused(tmp_path / 'scan.x', f'scan.x is {kind}: give a NIfTI')
