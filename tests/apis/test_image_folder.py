"""A folder of pictures in the place of a scan."""

import runpy

import nibabel as nib
import numpy as np
import pytest
from skimage.io import imsave

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.data_prep.io.image_folder import (
    ImageFolderSpec,
    is_image_folder,
    read_image_folder,
)
from xaicovid_mm.data_prep.volume import upright
from xaicovid_mm.utils.errors import ScanError

WINDOW, SPACING = (-1275.0, 510.0), (8.0, 2.8, 2.8)
PICTURED = ImageFolderSpec(WINDOW, SPACING)


def draw(folder, hu, names=None):
    """Pictures of slices (Z, Y, X), foot first, through a window whose steps are 7 HU."""
    folder.mkdir()
    low, high = WINDOW
    grey = np.rint((hu.clip(low, high) - low) / (high - low) * 255).astype(np.uint8)
    for number, plane in enumerate(grey):
        imsave(folder / (names[number] if names else f'{number + 1}.png'), plane)
    return folder


@pytest.fixture
def pictures(chest, tmp_path):
    return draw(tmp_path / 'pictures', chest.hu)


def test_pictures_are_read_in_the_order_of_their_numbers_to_half_a_step(pictures, chest):
    volume = upright(*read_image_folder(pictures, PICTURED))
    assert volume.spacing_mm == SPACING and volume.data.shape == chest.hu.shape
    gap = np.abs(volume.data - chest.hu.clip(*WINDOW))
    assert gap.max() <= 4  # 10.png comes after 9.png


def test_a_negative_spacing_turns_the_order(pictures):
    forth = upright(*read_image_folder(pictures, PICTURED)).data
    reverse = ImageFolderSpec(WINDOW, (-8.0, 2.8, 2.8))
    back = upright(*read_image_folder(pictures, reverse)).data
    assert np.array_equal(back, forth[::-1])


def test_the_result_is_that_of_the_scan_but_for_the_steps(pictures, chest, deployed, tmp_path):
    affine = np.diag([-2.8, -2.8, 8.0, 1.0])
    whole = tmp_path / 'whole.nii.gz'
    nib.save(nib.Nifti1Image(chest.hu.transpose(2, 1, 0), affine), whole)
    inferencer = CTInferencer(deployed, explain=0, images=PICTURED)
    of_scan, of_pictures = (
        inferencer(case, tmp_path / f'out_{case.stem}') for case in (whole, pictures)
    )
    lungs = [one['burden']['total']['lung_ml'] for one in (of_scan, of_pictures)]
    assert lungs[0] == pytest.approx(lungs[1], rel=0.02)
    for name, prob in of_scan['patient']['probabilities'].items():
        assert of_pictures['patient']['probabilities'][name] == pytest.approx(prob, abs=0.02)
    codes = [{flag['code'] for flag in one['flags']} for one in (of_scan, of_pictures)]
    assert codes[1] - codes[0] == {'pictures'}


def test_without_window_and_spacing_pictures_are_refused_with_the_remedy(
    deployed, pictures, tmp_path
):
    with pytest.raises(ScanError, match='--window LOW HIGH and --spacing Z Y X'):
        CTInferencer(deployed)(pictures, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_something_else_among_the_pictures_is_named(pictures):
    (pictures / 'notes.txt').write_text('')
    with pytest.raises(ScanError, match='notes.txt.*take the others out'):
        read_image_folder(pictures, PICTURED)


def test_pictures_of_two_sizes_are_named(pictures):
    imsave(pictures / '99.png', np.eye(7, dtype=np.uint8) * 200)
    with pytest.raises(ScanError, match='99.png.*7, 7'):
        read_image_folder(pictures, PICTURED)


@pytest.mark.parametrize(
    'window, spacing, named',
    [((0, 0), (1, 1, 1), 'below white'), ((0, 9), (0, 1, 1), 'z must not be 0')],
)
def test_a_window_or_spacing_without_meaning_is_refused(window, spacing, named):
    with pytest.raises(ValueError, match=named):
        ImageFolderSpec(window, spacing)


def test_a_folder_without_pictures_is_none(tmp_path, pictures):
    (tmp_path / 'dicom').mkdir()
    (tmp_path / 'dicom/1.dcm').write_bytes(b'')
    assert is_image_folder(pictures) and not is_image_folder(tmp_path / 'dicom')


def test_the_command_wants_both(pictures, tmp_path, capsys):
    main = runpy.run_path('tools/infer.py')['main']
    with pytest.raises(SystemExit) as stop:
        main([str(pictures), '--window', '-1275', '510', '--out', str(tmp_path), '--model', 'm'])
    assert stop.value.code == 2 and 'both --window' in capsys.readouterr().err
