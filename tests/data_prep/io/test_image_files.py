"""Image files: the values that skimage reads, and none that asks for a large memory."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.io import imread

from xaicovid_mm.data_prep.io import limits
from xaicovid_mm.data_prep.io.ignored import SYSTEM_FILE
from xaicovid_mm.data_prep.io.image_files import read_stack
from xaicovid_mm.data_prep.io.image_folder import ImageFolderSpec, read_image_folder
from xaicovid_mm.utils.errors import ScanError

GREY = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(np.uint8)
SPEC = ImageFolderSpec((-1000, 400), (5, 1, 1))


def stack_of(path):
    return read_stack(path.parent, [dict(image=path.name, case='a')])[0]


def chunk(kind, content):
    crc = struct.pack('>I', zlib.crc32(kind + content))
    return struct.pack('>I', len(content)) + kind + content + crc


def png(path, width, height, rows=1):
    """A PNG that announces a size and holds a few rows of zeros."""
    head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(width + 1) * rows, 9)
    chunks = chunk(b'IHDR', head) + chunk(b'IDAT', body) + chunk(b'IEND', b'')
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunks)
    return path


@pytest.mark.parametrize('mode', ['L', '1', 'P', 'RGB', 'RGBA', 'LA'])
@pytest.mark.parametrize('suffix', ['png', 'tif', 'bmp'])
def test_grey_values_are_those_that_skimage_reads(tmp_path, mode, suffix):
    if suffix == 'bmp' and mode in ('RGBA', 'LA'):
        pytest.skip('no such file')
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(GREY).convert(mode).save(path)
    wanted = imread(path)
    wanted = wanted[..., 0] if wanted.ndim == 3 else wanted
    np.testing.assert_array_equal(stack_of(path), wanted)
    if mode not in ('1', 'P'):
        np.testing.assert_array_equal(stack_of(path), GREY)


def test_a_jpeg_is_read_as_skimage_reads_it(tmp_path):
    Image.fromarray(GREY).save(tmp_path / 'a.jpg')
    np.testing.assert_array_equal(stack_of(tmp_path / 'a.jpg'), imread(tmp_path / 'a.jpg'))


def huge_tiff(path):
    tifffile.imwrite(path, np.broadcast_to(np.uint8(0), (200, 5000)), compression='deflate')


HUGE = {
    'png of a billion pixels': ('a.png', lambda path: png(path, 40000, 40000), '40000 x 40000'),
    'png that Pillow only warns of': ('a.png', lambda path: png(path, 9500, 9500), '9500 x 9500'),
    'png wider than a slice': ('a.png', lambda path: png(path, 4097, 1), '4097 x 1 pixels'),
    'tiff wider than a slice': ('a.tif', huge_tiff, '5000 x 200 pixels'),
}


@pytest.mark.parametrize('case', HUGE)
def test_an_image_larger_than_a_slice_is_refused_before_it_is_unpacked(tmp_path, case):
    name, write, cause = HUGE[case]
    write(tmp_path / name)
    tracemalloc.start()
    with pytest.raises(ScanError, match=rf'{name}.*{cause}|cannot be read as an image'):
        stack_of(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: a quarter turn
    return exif


def tiff_without_width(path):
    """A TIFF whose tag ImageWidth (256) became another: Pillow raises a TypeError."""
    Image.fromarray(GREY).save(path, 'TIFF')
    content = path.read_bytes()
    assert content.count(WIDTH) == 1
    path.write_bytes(content.replace(WIDTH, struct.pack('<HHI', 12, 4, 1)))


WIDTH = struct.pack('<HHI', 256, 4, 1)
BAD = {
    'without a width': tiff_without_width,
    'cut short': lambda path: path.write_bytes(png(path, 40, 40, 40).read_bytes()[:-20]),
    'several pictures': lambda path: Image.fromarray(GREY).save(
        path, 'TIFF', save_all=True, append_images=[Image.fromarray(GREY)]
    ),
    '16 bit': lambda path: Image.fromarray(GREY.astype(np.uint16)).save(path),
    'colour': lambda path: Image.frombytes('RGB', (3, 3), bytes(range(27))).save(path),
    'four inks': lambda path: Image.fromarray(GREY).convert('CMYK').save(path, 'JPEG'),
    'turned by its viewer': lambda path: Image.fromarray(GREY).save(path, exif=turned()),
    'transparent': lambda path: Image.fromarray(np.dstack([GREY, GREY // 2]), 'LA').save(path),
    'a transparent colour': lambda path: Image.fromarray(GREY).save(path, transparency=0),
    'text': lambda path: path.write_text('hello'),
    'postscript': lambda path: path.write_text('%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'),
    'nothing': lambda path: path.write_bytes(b''),
}


@pytest.mark.parametrize('case', BAD)
def test_what_is_no_single_grey_8_bit_image_is_refused_by_name(tmp_path, case):
    BAD[case](tmp_path / 'a.png')
    with pytest.raises(ScanError, match='a.png'):
        stack_of(tmp_path / 'a.png')


def test_more_pictures_than_a_scan_may_have_are_refused_at_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, 'MAX_BYTES', 10 * GREY.size)
    Image.fromarray(GREY).save(tmp_path / 'a.png')
    rows = [dict(image='a.png', case='a')]
    assert read_stack(tmp_path, rows * 5).shape == (5, 9, 7)
    with pytest.raises(ScanError, match='asks for 756 bytes in memory, 630 is the most'):
        read_stack(tmp_path, rows * 6)


def test_files_of_the_system_beside_pictures_are_ignored_and_counted(tmp_path):
    Image.fromarray(GREY).save(tmp_path / '1.png')
    for name in ('Thumbs.db', '.DS_Store', 'desktop.ini', '._1.png'):
        (tmp_path / name).write_bytes(b'x')
    hu, _, ignored = read_image_folder(tmp_path, SPEC)
    np.testing.assert_array_equal(hu[..., 0].T, np.rint(-1000 + GREY / 255 * 1400))
    assert ignored == {SYSTEM_FILE: 4}
