"""NIfTI files that lie, are damaged, or mean harm: refused by name, or read exactly."""

import gzip
import lzma
import os
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from xaicovid_mm.data_prep.io import limits
from xaicovid_mm.data_prep.io.scan import read_scan, read_volume
from xaicovid_mm.utils.errors import ScanError

DATA = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
AFFINE = np.array([[-2.0, 0, 0, 9], [0, -3, 0, 8], [0, 0, 4, 7], [0, 0, 0, 1]])
UPRIGHT = DATA.transpose(2, 1, 0)


def header(endian='<'):
    """The header of DATA, of one endianness."""
    image = nib.Nifti1Image(DATA, AFFINE)
    image.header.set_slope_inter(1, 0)
    image.header['qform_code'] = 1
    image.header['vox_offset'] = 352
    image.header['magic'] = b'n+1'
    image.header.set_xyzt_units('mm')
    return image.header.as_byteswapped(endian)


def write(path, head, data=DATA, gap=b'\0' * 4):
    body = data.astype(data.dtype.newbyteorder(head.endianness)).tobytes(order='F')
    raw = head.binaryblock + gap + body
    path.write_bytes(gzip.compress(raw) if path.suffix == '.gz' else raw)
    return path


def refused(path, cause):
    with pytest.raises(ScanError, match=f'(?s){path.name}.*{cause}') as error:
        read_scan(path)
    assert len(str(error.value)) < 500


def put(**fields):
    """A change of header fields; a field with an index is written name_index."""

    def change(head):
        for field, value in fields.items():
            if '__' in field:
                name, at = field.split('__')
                head[name][int(at)] = value
            else:
                head[field] = value

    return change


NAN, INF = float('nan'), float('inf')
REFUSED = {
    'sizeof_hdr 0': (put(sizeof_hdr=0), 'sizeof_hdr'),
    'sizeof_hdr of NIfTI-2': (put(sizeof_hdr=540), 'cannot be read'),
    'no magic': (put(magic=b''), 'magic'),
    'other magic': (put(magic=b'abc'), 'magic'),
    'NIfTI-2 magic': (put(magic=b'n+2'), 'magic'),
    'magic of a pair': (put(magic=b'ni1'), '.hdr and .img pair'),
    'no dimension': (put(dim__0=0), r'1D int16 \(0,\)'),
    'one dimension': (put(dim__0=1), r'1D int16 \(3,\)'),
    'two dimensions': (put(dim__0=2), r'2D int16 \(3, 4\)'),
    'eight dimensions': (put(dim__0=8), 'cannot be read'),
    'minus three dimensions': (put(dim__0=-3), 'cannot be read'),
    'zero columns': (put(dim__1=0), r'\(0, 4, 5\).*no voxel'),
    'zero slices': (put(dim__3=0), r'\(3, 4, 0\).*no voxel'),
    'negative columns': (put(dim__1=-3), r'\(-3, 4, 5\).*no voxel'),
    'twice negative': (put(dim__1=-3, dim__2=-4), r'\(-3, -4, 5\).*no voxel'),
    'a slice too many': (put(dim__3=6), '144 bytes of voxels.*ends after 472 bytes'),
    'a slice too few': (put(dim__3=4), '96 bytes of voxels.*goes on after'),
    'huge': (put(dim__1=32767, dim__2=32767, dim__3=32767), 'asks for 70[0-9]* bytes'),
    '4D': (put(dim__0=4, dim__4=2), '4D int16'),
    '4D of none': (put(dim__0=4, dim__4=0), '4D int16'),
    '5D vectors': (put(dim__0=5, dim__4=1, dim__5=3, intent_code=1007), '5D int16'),
    'unknown datatype': (put(datatype=0), 'data code 0'),
    'binary datatype': (put(datatype=1), 'data code 1 '),
    'datatype from nowhere': (put(datatype=77), 'data code 77'),
    'complex': (put(datatype=32, bitpix=64), 'complex64'),
    'double complex': (put(datatype=1792, bitpix=128), 'complex128'),
    'RGB': (put(datatype=128, bitpix=24), '3D in colour'),
    'RGBA': (put(datatype=2304, bitpix=32), '3D in colour'),
    'float for int16': (put(datatype=16, bitpix=32), '240 bytes of voxels.*ends after 472 bytes'),
    'bytes for int16': (put(datatype=2, bitpix=8), '60 bytes of voxels.*goes on after'),
    'bitpix of another type': (put(bitpix=8), 'bitpix'),
    'vox_offset in the header': (put(vox_offset=100), 'vox offset 100'),
    'vox_offset late': (put(vox_offset=368), 'from 368 on'),
    'vox_offset odd': (put(vox_offset=353), 'vox offset'),
    'vox_offset huge': (put(vox_offset=1e20), 'asks for 1000[0-9]* bytes'),
    'vox_offset negative': (put(vox_offset=-16), 'vox offset -16'),
    'vox_offset NaN': (put(vox_offset=NAN), 'cannot be read'),
    'vox_offset infinite': (put(vox_offset=INF), 'cannot be read'),
    'zero pixdim': (put(pixdim__2=0), 'pixdim'),
    'negative pixdim': (put(pixdim__3=-4), 'pixdim'),
    'NaN pixdim': (put(pixdim__1=NAN, sform_code=0), 'NaN'),
    'infinite pixdim': (put(pixdim__1=INF, sform_code=0), 'NaN or infinity'),
    'qfac 5': (put(pixdim__0=5), 'qfac'),
    'qform code 9': (put(qform_code=9), 'qform_code 9'),
    'sform code -1': (put(sform_code=-1), 'sform_code -1'),
    'no code': (put(qform_code=0, sform_code=0), 'which side is left'),
    'sform mirrored': (put(srow_x=[2, 0, 0, 9]), '8.0 mm apart'),
    'sform moved': (put(srow_z=[0, 0, 4, 99]), '92.0 mm apart'),
    'sform stretched': (put(srow_z=[0, 0, 8, 7]), '16.0 mm apart'),
    'sform of zeros': (put(srow_x=0, srow_y=0, srow_z=0, qform_code=0), 'spacing'),
    'sform singular': (put(srow_x=[-2, 0, 0, 9], srow_y=[0, 0, 3, 8], qform_code=0), 'spacing'),
    'sform parallel': (
        put(srow_x=[-2, -2, 0, 9], srow_y=[-3, -3, 0, 8], qform_code=0),
        'right angles',
    ),
    'sform sheared': (put(srow_y=[0, -3, 1, 8], qform_code=0), 'right angles'),
    'sform NaN': (put(srow_x=[NAN, 0, 0, 9], qform_code=0), 'NaN'),
    'sform infinite': (put(srow_x=[INF, 0, 0, 9], qform_code=0), 'NaN or infinity'),
    'sform offset NaN': (put(srow_x=[-2, 0, 0, NAN], qform_code=0), 'NaN'),
    'quaternion too long': (put(quatern_b=2, sform_code=0), 'cannot be read'),
    'quaternion NaN': (put(quatern_b=NAN, sform_code=0), 'NaN|cannot be read'),
    'quaternion of another turn': (put(quatern_d=0, quatern_b=0.6), 'mm apart'),
    'metres': (put(xyzt_units=1), 'unit of length is metre'),
    'microns': (put(xyzt_units=3), 'unit of length is micron'),
    'unit 7': (put(xyzt_units=7), 'unit of length is code 7'),
    'slope infinite': (put(scl_slope=INF), 'scl_slope inf'),
    'slope 1 with intercept NaN': (put(scl_inter=NAN), 'scl_inter nan'),
    'slope 1 with intercept infinite': (put(scl_inter=-INF), 'scl_inter -inf'),
    'slope 0 with intercept': (put(scl_slope=0, scl_inter=-1024), 'scl_slope 0.0.*-1024'),
    'slope NaN with intercept': (put(scl_slope=NAN, scl_inter=-1024), 'scl_slope nan.*-1024'),
}


@pytest.mark.parametrize('suffix', ['nii', 'nii.gz'])
@pytest.mark.parametrize('case', REFUSED)
def test_a_header_that_lies_is_refused(tmp_path, case, suffix):
    change, cause = REFUSED[case]
    change(head := header())
    refused(write(tmp_path / f'v.{suffix}', head), cause)


EXACT = {
    'as it is': put(),
    'qfac 0 is 1': put(pixdim__0=0, sform_code=1, qform_code=0),
    'qform alone': put(sform_code=0, qform_code=1),
    'sform alone': put(sform_code=2, qform_code=0, quatern_b=0.3),
    'sform before pixdim': put(qform_code=0, pixdim__1=7, pixdim__2=7, pixdim__3=7),
    'codes of another meaning': put(sform_code=4, qform_code=2),
    'unit not given': put(xyzt_units=0),
    'time unit': put(xyzt_units=2 + 8),
    'slope 0': put(scl_slope=0, scl_inter=0),
    'slope NaN': put(scl_slope=NAN, scl_inter=NAN),
    'one volume of 4D': put(dim__0=4, dim__4=1),
    'one of 7D': put(dim__0=7, dim__4=1, dim__5=1, dim__6=1, dim__7=1),
    'sizes beyond the last': put(dim__4=9, dim__5=-1),
    'intent': put(intent_code=5, intent_p1=NAN, intent_name=b'Z'),
    'display range': put(cal_max=-5, cal_min=INF),
    'slice order': put(slice_code=6, slice_start=99, slice_end=-1, dim_info=255),
    'time': put(toffset=NAN, slice_duration=INF),
    'text': put(descrip=b'\xff' * 80, aux_file=b'../../etc', db_name=b'a' * 18),
}


@pytest.mark.parametrize('endian', ['<', '>'])
@pytest.mark.parametrize('case', EXACT)
def test_a_header_that_is_odd_and_lawful_is_read_exactly(tmp_path, case, endian):
    EXACT[case](head := header(endian))
    scan = read_scan(write(tmp_path / 'v.nii.gz', head))
    np.testing.assert_array_equal(scan.data, UPRIGHT)
    assert scan.data.dtype == np.dtype('=i2')
    np.testing.assert_allclose(scan.affine, AFFINE, atol=1e-5)
    assert scan.spacing_mm == pytest.approx((4, 3, 2), rel=1e-5)
    assert scan.original_shape == (3, 4, 5)


@pytest.mark.parametrize('slope, inter', [(2, -1024), (-1, 0), (0.5, 0.25), (1e30, 0)])
def test_values_are_scaled_as_the_header_says(tmp_path, slope, inter):
    put(scl_slope=slope, scl_inter=inter)(head := header())
    data = read_scan(write(tmp_path / 'v.nii', head)).data
    np.testing.assert_allclose(data, UPRIGHT * float(np.float32(slope)) + inter, rtol=1e-6)


@pytest.mark.parametrize(
    'kind', ['u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f4', 'f8'], ids=str
)
def test_every_real_type_is_read(tmp_path, kind):
    head = header()
    head.set_data_dtype(kind)
    data = read_scan(write(tmp_path / 'v.nii', head, DATA.astype(kind))).data
    np.testing.assert_array_equal(data, UPRIGHT)
    assert data.dtype == np.dtype(kind)


@pytest.mark.parametrize('value', [NAN, INF, -INF])
def test_values_that_are_not_finite_are_counted(tmp_path, value):
    head = header()
    head.set_data_dtype(np.float32)
    data = DATA.astype(np.float32)
    data[1, 1, :2] = value
    refused(write(tmp_path / 'v.nii', head, data), '2 of 60 voxels are NaN or infinite')


def test_a_scale_that_overflows_is_refused(tmp_path):
    put(scl_slope=3e38)(head := header())
    head.set_data_dtype(np.float64)
    refused(write(tmp_path / 'v.nii', head, DATA.astype(float) * 1e300), 'voxels are NaN or inf')


def test_an_extension_is_skipped_and_a_false_one_is_refused(tmp_path):
    put(vox_offset=384)(head := header())
    extension = b'\1\0\0\0' + (32).to_bytes(4, 'little') + b'\6\0\0\0' + b'SECRET^PERSON'.ljust(24)
    scan = read_scan(write(tmp_path / 'v.nii', head, gap=extension))
    np.testing.assert_array_equal(scan.data, UPRIGHT)
    assert 'SECRET' not in repr(vars(scan))
    refused(write(tmp_path / 'w.nii', header(), gap=extension), 'goes on after')


DAMAGE = {
    'empty': lambda data: b'',
    'text': lambda data: b'hello',
    'header only': lambda data: data[:348],
    'half a header': lambda data: data[:100],
    'a byte short': lambda data: data[:-1],
    'a byte long': lambda data: data + b'\0',
    'zeros': lambda data: bytes(len(data)),
    'ones': lambda data: b'\xff' * len(data),
    'swapped bytes': lambda data: data[1::2] + data[::2],
}


@pytest.mark.parametrize('case', DAMAGE)
@pytest.mark.parametrize('suffix', ['nii', 'nii.gz'])
def test_a_damaged_file_is_refused(tmp_path, case, suffix):
    raw = DAMAGE[case](write(tmp_path / 'whole.nii', header()).read_bytes())
    path = tmp_path / f'v.{suffix}'
    path.write_bytes(gzip.compress(raw) if suffix == 'nii.gz' else raw)
    refused(path, 'again|give a NIfTI')


@pytest.mark.parametrize('at', [0, 3, 12, 150, 400, 450, -5, -1])
def test_a_flipped_byte_in_a_gzip_file_is_noticed(tmp_path, at):
    raw = write(tmp_path / 'whole.nii', header()).read_bytes()
    packed = bytearray(gzip.compress(raw, compresslevel=0))
    packed[at] ^= 255
    (tmp_path / 'v.nii.gz').write_bytes(bytes(packed))
    refused(tmp_path / 'v.nii.gz', 'cannot be read as NIfTI')


@pytest.mark.parametrize('part', [0.1, 0.5, 0.9, 0.99])
def test_a_gzip_file_cut_short_is_refused(tmp_path, part):
    packed = write(tmp_path / 'whole.nii.gz', header()).read_bytes()
    (tmp_path / 'v.nii.gz').write_bytes(packed[: int(len(packed) * part)])
    refused(tmp_path / 'v.nii.gz', 'cannot be read as NIfTI')


def big(path, head, count):
    """A packed file with a header and that many zeros."""
    with gzip.open(path, 'wb') as file:
        file.write(head.binaryblock + b'\0' * 4)
        for _ in range(count >> 20):
            file.write(bytes(1 << 20))
    return path


BOMBS = {
    'more voxels than the header says': (put(), 'goes on after them'),
    'more than a scan may have': (
        put(dim__1=2**15 - 1, dim__2=2**15 - 1, dim__3=1),
        'asks for 2147352930 bytes in memory, .* is the most',
    ),
    'fewer voxels than the header says': (put(dim__1=300, dim__2=300, dim__3=300), 'ends after'),
    'a late start': (put(vox_offset=2**30), 'ends after'),
}


@pytest.mark.parametrize('case', BOMBS)
def test_a_packed_file_that_is_small_for_its_content_needs_no_memory_to_be_refused(
    tmp_path, monkeypatch, case
):
    monkeypatch.setattr(limits, 'MAX_BYTES', 2**30 + 2**20)
    change, cause = BOMBS[case]
    change(head := header())
    path = big(tmp_path / 'v.nii.gz', head, 40 << 20)
    tracemalloc.start()
    refused(path, cause)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    announced = 300**3 * 2 if case.startswith('fewer') else 0
    assert peak < announced + 3 * limits.PIECE


def test_a_factor_that_makes_large_numbers_of_small_ones_counts_towards_the_limit(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(limits, 'MAX_BYTES', 352 + DATA.nbytes)
    assert read_scan(write(tmp_path / 'v.nii', header())).data.dtype == np.int16
    put(scl_slope=2)(head := header())
    refused(write(tmp_path / 'w.nii', head), 'asks for 480 bytes in memory, 472 is the most')


def test_a_file_of_several_gzip_members_is_read_and_one_with_garbage_behind_is_refused(tmp_path):
    raw = write(tmp_path / 'whole.nii', header()).read_bytes()
    members = gzip.compress(raw[:400]) + gzip.compress(raw[400:])
    (tmp_path / 'v.nii.gz').write_bytes(members)
    np.testing.assert_array_equal(read_scan(tmp_path / 'v.nii.gz').data, UPRIGHT)
    (tmp_path / 'w.nii.gz').write_bytes(members + b'garbage')
    refused(tmp_path / 'w.nii.gz', 'cannot be read as NIfTI .*something was added to it')


@pytest.mark.parametrize('name', ['v.NII.GZ', 'v.Nii', 'v.nii.GZ'])
def test_letters_of_any_case_in_the_ending_are_read(tmp_path, name):
    content = write(tmp_path / 'a.nii', header()).read_bytes()
    packed = name.lower().endswith('.gz')
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(read_scan(tmp_path / name).data, UPRIGHT)


@pytest.mark.parametrize('suffix', ['nii', 'nii.gz'])
@pytest.mark.parametrize('endian', ['<', '>'])
def test_nifti_2_is_read_as_nibabel_reads_it(tmp_path, suffix, endian):
    head = nib.Nifti2Header(endianness=endian)
    image = nib.Nifti2Image(DATA, AFFINE, head)
    image.header.set_xyzt_units('mm')
    nib.save(image, tmp_path / f'v.{suffix}')
    scan, oracle = read_scan(tmp_path / f'v.{suffix}'), nib.load(tmp_path / f'v.{suffix}')
    assert isinstance(oracle, nib.Nifti2Image)
    np.testing.assert_array_equal(scan.data, np.asarray(oracle.dataobj).transpose(2, 1, 0))
    np.testing.assert_allclose(scan.affine, oracle.affine)


@pytest.mark.parametrize(
    'shape, cause',
    [
        ((2**62, 2**62, 4), 'asks for 1701[0-9]* bytes in memory'),
        ((-4, -4, 4), 'holds no voxel'),
        ((0, 4, 4), 'holds no voxel'),
        ((2**63 - 1, 1, 1), 'asks for'),
    ],
)
def test_sizes_whose_product_leaves_64_bits_are_refused(tmp_path, shape, cause):
    head = nib.Nifti2Image(DATA, AFFINE).header
    head['dim'][1:4] = shape
    head['vox_offset'] = 544
    refused(write(tmp_path / 'v.nii', head), cause)


def test_gzip_under_a_plain_name_and_plain_under_gzip_are_refused(tmp_path):
    packed = write(tmp_path / 'whole.nii.gz', header()).read_bytes()
    (tmp_path / 'v.nii').write_bytes(packed)
    refused(tmp_path / 'v.nii', 'packed with gzip.*add .gz')
    (tmp_path / 'w.nii.gz').write_bytes(gzip.decompress(packed))
    refused(tmp_path / 'w.nii.gz', 'cannot be read as NIfTI .*not gzip: .*take .gz out')
    (tmp_path / 'twice.nii.gz').write_bytes(gzip.compress(packed))
    refused(tmp_path / 'twice.nii.gz', 'packed with gzip twice: unpack it once')
    (tmp_path / 'x.nii.gz').write_bytes(lzma.compress(packed))
    refused(tmp_path / 'x.nii.gz', 'not gzip: .*if it is, unpack it')


@pytest.mark.parametrize('name', ['v.nii', 'v.nii.gz'])
def test_an_empty_file_is_named(tmp_path, name):
    (tmp_path / name).touch()
    refused(tmp_path / name, 'an empty file')


@pytest.mark.parametrize('name', ['v.nii.bz2', 'v.txt', 'v'])
@pytest.mark.parametrize('read', [read_scan, read_volume])
def test_another_suffix_is_refused(tmp_path, name, read):
    write(tmp_path / 'v.nii', header()).rename(tmp_path / name)
    with pytest.raises(ScanError, match='give a NIfTI file'):
        read(tmp_path / name)


def test_a_pair_of_header_and_image_is_refused(tmp_path):
    nib.save(nib.Nifti1Pair(DATA, AFFINE), tmp_path / 'v.img')
    for name in ('v.hdr', 'v.img'):
        refused(tmp_path / name, 'is one file of a pair .*give a NIfTI file')
    (tmp_path / 'v.hdr').rename(tmp_path / 'v.nii')
    refused(tmp_path / 'v.nii', 'pair')


def test_a_folder_and_a_loop_of_links_are_refused(tmp_path):
    (tmp_path / 'v.nii').mkdir()
    refused(tmp_path / 'v.nii', 'holds 0 CT series')
    (tmp_path / 'loop.nii').symlink_to(tmp_path / 'loop.nii')
    refused(tmp_path / 'loop.nii', 'cannot be read')


def test_a_pipe_does_not_stop_the_reader(tmp_path):
    os.mkfifo(tmp_path / 'v')
    refused(tmp_path / 'v', 'no regular file')
    os.mkfifo(tmp_path / 'v.nii')
    refused(tmp_path / 'v.nii', 'no regular file')
    with pytest.raises(ScanError, match='no regular file'):
        read_volume(tmp_path / 'v.nii')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_file_without_permission_is_refused(tmp_path):
    path = write(tmp_path / 'v.nii', header())
    path.chmod(0)
    refused(path, 'Permission denied')
