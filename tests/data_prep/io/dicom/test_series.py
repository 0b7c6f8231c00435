"""A DICOM series becomes the volume that a NIfTI file of it would be."""

import itertools
import json
import os
import shutil
import zipfile
from pathlib import Path

import dicom_maker as make
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.check.report import check_cases
from xaicovid_mm.data_prep.io import ignored
from xaicovid_mm.data_prep.io.dicom.series import read_dicom
from xaicovid_mm.data_prep.io.scan import read_scan, scan_sha256
from xaicovid_mm.data_prep.quality.ignored_files import ignored_issues
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.volume import check_same_grid
from xaicovid_mm.utils.errors import ScanError

AXES = [
    (np.eye(3)[a] * s, np.eye(3)[b] * t)
    for a, b in itertools.permutations(range(3), 2)
    for s, t in itertools.product((1, -1), repeat=2)
]
JPEGS = ['JPEGLosslessProcess14', 'JPEGLosslessProcess14_1', 'JPEGLSLossless']


def test_slices_are_sorted_by_position_and_scaled_to_hu(tmp_path):
    volume = read_scan(make.series(tmp_path / 's'))
    np.testing.assert_array_equal(volume.data, make.hu())
    assert volume.data.dtype == np.int16
    assert volume.spacing_mm == (4.0, 3.0, 2.0)
    assert volume.original_shape == (6, 4, 5)
    np.testing.assert_allclose(
        volume.affine, [[-2, 0, 0, 10], [0, -3, 0, 20], [0, 0, 4, 0], [0, 0, 0, 1]]
    )


@pytest.mark.parametrize('row, column', AXES, ids=str)
def test_a_voxel_lies_where_its_position_says_in_every_orientation(tmp_path, row, column):
    normal = np.cross(row, column)
    images = []
    for k in range(make.SLICES):
        images.append(
            make.image(
                k,
                ImageOrientationPatient=[*row, *column],
                ImagePositionPatient=list(k * make.STEP * normal),
            )
        )
    volume = read_scan(make.series(tmp_path / 's', images[::-1]))

    i, j, k = np.indices(volume.original_shape).reshape(3, -1)
    lps = row[:, None] * i * 2 + column[:, None] * j * 3 + normal[:, None] * k * 4
    lps -= lps.min(1, keepdims=True)
    x, y, z = np.rint(lps / np.array(volume.spacing_mm)[::-1, None]).astype(int)
    np.testing.assert_array_equal(volume.data[z, y, x], 100 * k + 10 * j + i - 1024)
    ras = volume.affine @ [5, 0, 0, 1] - volume.affine @ [0, 0, 0, 1]
    np.testing.assert_allclose(ras[:3], row * 10 * [-1, -1, 1], atol=1e-9)


def test_an_oblique_series_keeps_its_affine_as_highdicom_has_it(tmp_path):
    spatial = pytest.importorskip('highdicom.spatial')
    turn = nib.eulerangles.euler2mat(0.3, 0.2, 0.1)
    where = [list(np.round(turn[:, 2] * make.STEP * k, 6)) for k in range(make.SLICES)]
    axes = list(np.round(turn[:, :2].T.ravel(), 8))
    images = [
        make.image(k, ImageOrientationPatient=axes, ImagePositionPatient=where[k])
        for k in range(make.SLICES)
    ]
    volume = read_scan(make.series(tmp_path / 's', images))
    wanted = spatial.create_affine_matrix_from_attributes(
        image_position=where[0],
        image_orientation=axes,
        pixel_spacing=make.SPACING,
        spacing_between_slices=make.STEP,
        index_convention=('R', 'D'),
        slices_first=False,
    )
    np.testing.assert_allclose(volume.affine, np.diag([-1, -1, 1, 1]) @ wanted, atol=1e-4)


def test_folder_zip_and_multi_frame_file_are_the_same_volume(tmp_path):
    folder = make.series(tmp_path / 's')
    with zipfile.ZipFile(tmp_path / 's.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f'../../{file.stem}')  # a path is a label, nothing is unpacked
    make.save(tmp_path / 'enhanced', make.enhanced([3, 0, 2, 4, 1]))
    for path in (folder, tmp_path / 's.zip', tmp_path / 'enhanced'):
        volume = read_scan(path)
        np.testing.assert_array_equal(volume.data, make.hu())
        np.testing.assert_array_equal(volume.affine[:3, 3], [10, 20, 0])
    assert {p.name for p in tmp_path.iterdir()} == {'s', 's.zip', 'enhanced'}


def gdcm_written(path, syntax):
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


def test_jpeg_2000_gives_the_same_values(tmp_path):
    images = []
    for k in range(make.SLICES):
        pixels = np.kron(make.stored(k), np.ones((8, 8), np.uint16))
        ds = make.image(k, Rows=32, Columns=48, PixelData=pixels.tobytes())
        ds.compress('1.2.840.10008.1.2.4.90', encoding_plugin='pylibjpeg')
        images.append(ds)
    data = read_scan(make.series(tmp_path / 's', images)).data
    np.testing.assert_array_equal(data[:, ::8, ::8], make.hu())


@pytest.mark.parametrize(
    'syntax', [*JPEGS, 'RLELossless', 'ImplicitVRLittleEndian', 'ExplicitVRBigEndian']
)
def test_every_lossless_transfer_syntax_gives_the_same_values(tmp_path, syntax):
    for file in (folder := make.series(tmp_path / 's')).iterdir():
        gdcm_written(file, syntax)
        assert pydicom.dcmread(file).file_meta.TransferSyntaxUID != '1.2.840.10008.1.2.1'
    np.testing.assert_array_equal(read_scan(folder).data, make.hu())


def test_a_jpeg_cut_short_is_refused(tmp_path):
    for file in (folder := make.series(tmp_path / 's')).iterdir():
        gdcm_written(file, 'JPEGLosslessProcess14_1')
    ds = pydicom.dcmread(folder / 'b.dcm')
    frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData = pydicom.encaps.encapsulate([frame[: len(frame) * 2 // 3]])
    ds.save_as(folder / 'b.dcm')
    with pytest.raises(ScanError, match='b.dcm.*PixelData'):
        read_scan(folder)


def test_slope_and_intercept_count_slice_by_slice(tmp_path):
    images = [make.image(k, RescaleSlope=2 if k == 1 else 1) for k in range(make.SLICES)]
    wanted = make.hu()
    wanted[1] = (wanted[1] + 1024) * 2 - 1024
    volume = read_scan(make.series(tmp_path / 's', images))
    np.testing.assert_array_equal(volume.data, wanted)
    assert volume.data.dtype == np.int16


def test_a_broken_slope_keeps_its_fraction(tmp_path):
    images = [make.image(k, RescaleSlope='0.5') for k in range(make.SLICES)]
    data = read_scan(make.series(tmp_path / 's', images)).data
    assert data.dtype == np.float32 and data[0, 0, 1] == -1023.5


def test_signed_padding_becomes_air_and_nothing_else_does(tmp_path):
    values = make.stored(0).astype(np.int16)
    values[0] = -2000
    images = []
    for k in range(make.SLICES):
        ds = make.image(k, PixelRepresentation=1, RescaleIntercept=0, PixelData=values.tobytes())
        ds.add_new('PixelPaddingValue', 'SS', -2000)
        images.append(ds)
    data = read_scan(make.series(tmp_path / 's', images)).data
    assert (data[:, 0] == -1024).all()
    np.testing.assert_array_equal(data[0, 1:], values[1:])


def test_a_range_of_padding_becomes_air(tmp_path):
    images = [
        make.image(k, PixelPaddingValue=0, PixelPaddingRangeLimit=3, RescaleIntercept=-2000)
        for k in range(make.SLICES)
    ]
    data = read_scan(make.series(tmp_path / 's', images)).data
    np.testing.assert_array_equal(data[0, 0], [-1024, -1024, -1024, -1024, -1996, -1995])


def test_what_is_no_slice_of_the_series_is_left_aside_and_counted(tmp_path):
    folder = make.series(tmp_path / 's')
    (folder / 'deep').mkdir()
    (folder / 'd.dcm').rename(folder / 'deep' / 'IM0001')
    (folder / 'notes.txt').write_text('by hand')
    for name in ('DICOMDIR', 'Thumbs.db', '.DS_Store', '._e.dcm'):
        (folder / name).write_bytes(b'')
    (folder / 'loop').symlink_to(folder)
    make.save(folder / 'scout', make.image(ImageType=['ORIGINAL', 'PRIMARY', 'LOCALIZER']))
    make.save(folder / 'dose', make.image(SOPClassUID='1.2.840.10008.5.1.4.1.1.88.67'))
    make.save(folder / 'mr', make.image(SOPClassUID='1.2.840.10008.5.1.4.1.1.4', Modality='MR'))
    make.save(folder / 'one', make.image(SeriesInstanceUID='1.9'))
    make.save(folder / 'dir', make.image(SOPClassUID='1.2.840.10008.1.3.10'))
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.data, make.hu())
    assert scan.ignored == {
        ignored.SYSTEM_FILE: 5,
        ignored.OTHER_KIND: 2,
        ignored.NO_DICOM: 1,
        ignored.LOCALIZER: 1,
        ignored.SINGLE: 1,
    }
    with zipfile.ZipFile(tmp_path / 's.zip', 'w') as archive:
        for file in folder.rglob('*'):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    assert read_scan(tmp_path / 's.zip').ignored == scan.ignored


LAST = {
    'empty': lambda file: file.write_bytes(b''),
    'text': lambda file: file.write_text('hello'),
    'another series': lambda file: make.save(file, make.image(4, SeriesInstanceUID='1.9')),
    'another modality': lambda file: make.save(file, make.image(4, Modality='PT')),
    'no regular file': lambda file: (file.unlink(), file.symlink_to('nowhere')),
}


@pytest.mark.parametrize('case', LAST)
def test_an_end_slice_that_is_ignored_is_warned_of(tmp_path, case):
    folder = make.series(tmp_path / 's')
    LAST[case](folder / 'b.dcm')  # slice 4
    scan = read_scan(folder)
    assert len(scan.data) == 4 and sum(scan.ignored.values()) == 1
    (issue,) = ignored_issues(scan.ignored)
    assert issue.text.startswith('1 file ignored: 1 ') and issue.severity == 'warning'


def test_an_end_slice_that_is_cut_anywhere_is_refused_or_warned_of(tmp_path):
    folder = make.series(tmp_path / 's')
    whole = (folder / 'b.dcm').read_bytes()
    for length in range(0, len(whole), 5):
        (folder / 'b.dcm').write_bytes(whole[:length])
        try:
            scan = read_scan(folder)
        except ScanError:
            continue
        assert [issue.code for issue in ignored_issues(scan.ignored)] == ['files ignored'], length


def test_files_that_cannot_be_slices_are_not_warned_of(tmp_path):
    folder = make.series(tmp_path / 's')
    (folder / 'Thumbs.db').write_bytes(b'')
    make.save(folder / 'scout', make.image(ImageType=['ORIGINAL', 'PRIMARY', 'LOCALIZER']))
    make.save(folder / 'dose', make.image(SOPClassUID='1.2.840.10008.5.1.4.1.1.88.67'))
    scan = read_scan(folder)
    assert ignored.ignored_text(scan.ignored).startswith('3 files ignored: 1 ')
    assert list(ignored_issues(scan.ignored)) == []


def test_a_series_of_what_is_no_dicom_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / 'v.nii.gz')
    with pytest.raises(ScanError, match=r"v\.nii\.gz is no DICOM and has no series '1\.2'"):
        read_scan(tmp_path / 'v.nii.gz', series='1.2')


def test_one_file_of_a_concatenation_stands_for_all_its_frames(tmp_path):
    uid, whole = generate_uid(), range(make.SLICES)
    for number, frames in enumerate((whole[:2], whole[2:])):
        part = make.enhanced(frames)
        part.NumberOfFrames, part.ConcatenationUID = len(frames), uid
        part.InConcatenationNumber = number + 1
        make.save(tmp_path / f'{number}', part)
    for path in (tmp_path, tmp_path / '0', tmp_path / '1'):
        np.testing.assert_array_equal(read_scan(path).data, make.hu())


@pytest.mark.parametrize('multi_frame', [False, True])
def test_copies_of_files_are_ignored_and_counted(tmp_path, multi_frame):
    folder = make.series(tmp_path / 's')
    if multi_frame:
        folder = tmp_path / 'm'
        folder.mkdir()
        make.save(folder / 'a', make.enhanced())
    files = [file for file in folder.iterdir()]
    for file in files:
        shutil.copy(file, folder / f'copy of {file.name}')
    again = pydicom.dcmread(files[0])
    again.file_meta.ImplementationVersionName = 'OTHER'  # exported once more
    again.save_as(folder / 'exported again')
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.data, make.hu())
    assert scan.ignored == {ignored.COPY: len(files) + 1}


def test_one_slice_and_its_copy_are_no_scan(tmp_path):
    with pytest.raises(ScanError, match="'1.2.3.4': 1 slices; ignored: .*copy of another file"):
        read_scan(make.series(tmp_path / 's', [make.image(), make.image()]))


def bare(file, syntax, meta):
    """Take the preamble away, and the meta data too unless they are wanted."""
    ds = pydicom.dcmread(file)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(file, enforce_file_format=True)
    raw = file.read_bytes()[132:]
    if not meta:
        length = int.from_bytes(raw[8:12], 'little')
        raw = raw[12 + length :]
    file.write_bytes(raw)


@pytest.mark.parametrize('meta', [True, False])
@pytest.mark.parametrize('syntax', ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1'])
def test_files_without_a_preamble_are_read(tmp_path, syntax, meta):
    folder = make.series(tmp_path / 's')
    for file in folder.iterdir():
        bare(file, syntax, meta)
        assert file.read_bytes()[128:132] != b'DICM'
    for path in (folder, folder / 'a.dcm'):
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.data, make.hu())
        assert scan.ignored == {}


@pytest.mark.parametrize('step', [0.625, 0.75, 1.25, 0.33, 2.05])
@pytest.mark.parametrize('start', [0.0, -123.456])
def test_positions_rounded_to_one_decimal_are_read(tmp_path, step, start):
    where = [round(start + step * k, 1) for k in range(40)]
    images = [make.image(k % 5, ImagePositionPatient=[-10, -20, z]) for k, z in enumerate(where)]
    volume = read_scan(make.series(tmp_path / 's', images))
    assert volume.spacing_mm[0] == pytest.approx(step, abs=0.1 / 39)


@pytest.mark.parametrize('step', [0.5, 0.625, 1.25, 2.5])
@pytest.mark.parametrize('decimals', [1, 4])
@pytest.mark.parametrize('missing', [1, 20, 38])
def test_a_missing_slice_is_seen_among_rounded_positions(tmp_path, step, decimals, missing):
    where = [round(step * k, decimals) for k in range(40) if k != missing]
    images = [make.image(k % 5, ImagePositionPatient=[-10, -20, z]) for k, z in enumerate(where)]
    with pytest.raises(ScanError, match='a slice is missing'):
        read_scan(make.series(tmp_path / 's', images))


def test_of_two_series_the_one_that_is_named_is_read(tmp_path):
    folder = make.series(tmp_path / 's')
    others = [make.image(k, SeriesInstanceUID='1.9', RescaleIntercept=0) for k in range(3)]
    make.series(folder / 'other', others)
    with pytest.raises(ScanError, match=r"s holds 2 .*'1.2.3.4': 5.*'1.9': 3"):
        read_scan(folder)
    np.testing.assert_array_equal(read_scan(folder, '1.9').data, make.hu(3) + 1024)
    with pytest.raises(ScanError, match="no CT series '7'; found: '1.2.3.4': 5 slices"):
        read_dicom(folder, '7')


def test_a_mask_drawn_as_nifti_with_another_order_of_axes_fits_its_scan(tmp_path):
    scan = read_scan(make.series(tmp_path / 's'))
    image = nib.as_closest_canonical(
        nib.Nifti1Image(scan.data.transpose(2, 1, 0), scan.affine, dtype=np.int16)
    )
    nib.save(image, tmp_path / 'm.nii')
    mask = read_scan(tmp_path / 'm.nii')
    assert np.abs(mask.affine - scan.affine).max() > 1
    check_same_grid('s', scan, 'm.nii', mask)
    np.testing.assert_array_equal(scan.data, mask.data)


def test_a_folder_in_the_case_table_becomes_the_store_that_its_nifti_file_becomes(tmp_path):
    rng = np.random.default_rng(0)
    lung = np.zeros((8, 32, 32), np.int16)
    lung[:, 8:24, 6:26] = 1
    chest = np.where(lung, -850, 40).astype(np.int16) + rng.integers(-9, 9, lung.shape, np.int16)
    chest[:, 0] = -1000
    images = []
    for k, pixels in enumerate(chest):
        stored = (pixels + 1024).astype(np.uint16).tobytes()
        images.append(make.image(k, Rows=32, Columns=32, PixelData=stored))
    affine = read_scan(make.series(tmp_path / 'dicom', images)).affine
    for name, data in (('scan', chest), ('lung', lung)):
        nib.save(nib.Nifti1Image(data.transpose(2, 1, 0), affine), tmp_path / f'{name}.nii.gz')
    for source in ('dicom', 'scan.nii.gz'):
        table = tmp_path / 'cases.csv'
        row = f'c,p,{source},,lung.nii.gz,,s'
        table.write_text(f'case,patient,image,infection,lung,label,site\n{row}\n')
        prepare_volumes(table, tmp_path / f'by_{source}', SliceSpec(32), accept=['no lungs'])
    of_dicom, of_nifti = (SliceStore(tmp_path / f'by_{s}') for s in ('dicom', 'scan.nii.gz'))
    assert len(of_dicom) == 8
    for row in range(8):
        np.testing.assert_array_equal(of_dicom.image(row), of_nifti.image(row))


def test_no_name_of_a_patient_is_in_the_volume_or_in_an_error(tmp_path):
    folder = make.series(tmp_path / 's')
    assert 'SECRET' not in repr(vars(read_scan(folder)))
    (folder / 'c.dcm').unlink()
    with pytest.raises(ScanError) as error:
        read_scan(folder)
    assert 'SECRET' not in str(error.value)


def test_two_patients_in_one_series_are_refused_without_their_names(tmp_path):
    images = [make.image(k, PatientID=f'SECRET-{k // 3}') for k in range(make.SLICES)]
    folder = make.series(tmp_path / 's', images)
    with pytest.raises(ScanError, match='differ in PatientID') as error:
        read_scan(folder)
    assert 'SECRET' not in str(error.value)


@pytest.mark.parametrize('others', ['SECRET', 'SECRET ', '', None])
def test_slices_without_a_patient_or_with_a_padded_one_are_of_the_same_scan(tmp_path, others):
    ids = ['SECRET'] + [others] * (make.SLICES - 1)
    images = [make.image(k, PatientID=patient) for k, patient in enumerate(ids)]
    np.testing.assert_array_equal(read_scan(make.series(tmp_path / 's', images)).data, make.hu())


def test_the_hash_of_a_folder_changes_with_a_byte_and_not_with_a_name(tmp_path):
    folder = make.series(tmp_path / 's')
    before = scan_sha256(folder)
    (folder / 'a.dcm').rename(folder / 'z.dcm')
    assert scan_sha256(folder) == before
    make.save(folder / 'z.dcm', make.image(1, RescaleIntercept=0))
    assert scan_sha256(folder) != before


@pytest.mark.real_data
def test_original_dicom_and_nifti_of_one_patient_agree_to_the_hu():
    """The NIfTI file has each 2x2 block of pixels as its rounded mean."""
    root = Path(os.environ.get('XAICOVID_DATA', '../shared/data'))
    scan = read_scan(root / 'dicom' / 'P001_40slices')
    small = read_scan(root / 'volumes_hu' / 'P001.nii.gz')
    blocks = scan.data.reshape(40, 256, 2, 256, 2).mean((2, 4))
    i, j, k, _ = np.linalg.inv(small.affine) @ scan.affine @ [0.5, 0.5, 0, 1]
    assert abs(i) < 1e-3 and abs(j) < 1e-3 and abs(k - round(k)) < 1e-3
    np.testing.assert_allclose(small.spacing_mm[1:], np.array(scan.spacing_mm[1:]) * 2)
    np.testing.assert_array_equal(np.rint(blocks), small.data[round(k) : round(k) + 40])


def test_the_series_of_a_table_row_is_checked_and_stored(tmp_path):
    folder = make.series(tmp_path / 's')
    others = [make.image(k, SeriesInstanceUID='1.9', RescaleIntercept=0) for k in range(6)]
    make.series(folder / 'other', others)
    columns = 'case,patient,image,infection,lung,label,site,series'
    table = tmp_path / 'cases.csv'
    table.write_text(f'{columns}\na,p,s,,,,x,{make.UID}\nb,p,s,,,,x,1.9\nc,p,s,,,,x,\n')
    check_cases(table, tmp_path / 'out')
    a, b, c = json.loads((tmp_path / 'out' / 'check.json').read_text())['cases']
    assert (a['slices'], b['slices']) == (5, 6) and 'slices' not in c
    assert a['ignored_files'] == {ignored.OTHER_SERIES: 6}
    assert 'column series of the table' in c['issues'][0]['remedy']
    assert make.UID not in (tmp_path / 'out' / 'check.json').read_text()
    with pytest.raises(ScanError, match='no chest in HU'):  # the first is read
        prepare_volumes(table, tmp_path / 'store')
