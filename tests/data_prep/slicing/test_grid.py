"""Into the store and back to the scan's own grid."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import affine_transform, center_of_mass, gaussian_filter

from xaicovid_mm.data_prep.orientation import from_upright, to_upright, upright_spacing
from xaicovid_mm.data_prep.slicing.grid import SliceGrid, lung_square

ORIENTATIONS = [codes for axes in permutations(('LR', 'PA', 'SI')) for codes in product(*axes)]


def affine_of(codes, spacing):
    """The affine of a file whose axes point where ``codes`` says."""
    turn = nib.orientations.axcodes2ornt(codes)
    affine = np.zeros((4, 4))
    for axis, (world, flip) in enumerate(turn):
        affine[int(world), axis] = flip * spacing[axis]
    affine[:, 3] = 11, -7, 5, 1
    return affine


def blob(shape):
    """A solid off every centre."""
    where = [np.arange(n) for n in shape]
    i, j, k = np.meshgrid(*where, indexing='ij')
    centre = np.array(shape) * (0.4, 0.55, 0.6)
    radius = np.array(shape) * 0.2
    inside = sum(((a - c) / r) ** 2 for a, c, r in zip((i, j, k), centre, radius, strict=True))
    return inside < 1


@pytest.mark.parametrize('codes', ORIENTATIONS, ids=''.join)
@pytest.mark.parametrize('resampled', [False, True], ids=['as scanned', 'resampled'])
def test_a_mask_comes_back_to_where_it_was(codes, resampled):
    shape, spacing = (26, 31, 22), (1.4, 0.9, 2.5)
    affine, mask = affine_of(codes, spacing), blob(shape)
    upright = to_upright(mask, affine)
    low, high = lung_square(upright, 0.3, upright_spacing(affine)[1:])
    planes = round(len(upright) * upright_spacing(affine)[0] / 1.1) if resampled else len(upright)
    grid = SliceGrid.of_box((0, *low), (len(upright), *high), (planes, 64, 64))

    stored = grid.cut(upright) > 0.5
    back = from_upright(grid.paste(stored.astype(np.uint8), upright.shape, order=0), affine) > 0

    assert back.shape == shape
    gap = np.subtract(center_of_mass(back), center_of_mass(mask))
    assert np.abs(gap).max() < 0.5
    assert 2 * (back & mask).sum() / (back.sum() + mask.sum()) > 0.9


def test_there_are_48_orientations_and_each_turns_there_and_back():
    assert len(set(ORIENTATIONS)) == 48
    array = np.random.default_rng(0).normal(size=(3, 4, 5))
    for codes in ORIENTATIONS:
        affine = affine_of(codes, (1, 2, 3))
        assert np.array_equal(from_upright(to_upright(array, affine), affine), array)


def test_upright_is_foot_to_head_front_to_back_right_to_left():
    array = np.arange(24).reshape(2, 3, 4)  # i to the right, j to the front, k to the head
    upright = to_upright(array, affine_of('RAS', (1, 2, 3)))
    assert upright.shape == (4, 3, 2)
    assert upright[0, 0, 0] == array[1, 2, 0]  # foot, front, right
    assert upright_spacing(affine_of('RAS', (1, 2, 3))) == (3, 2, 1)
    assert upright_spacing(affine_of('SRA', (1, 2, 3))) == (1, 3, 2)


def test_a_box_that_is_the_volume_changes_nothing():
    volume = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    grid = SliceGrid.of_box((0, 0, 0), volume.shape, volume.shape)
    assert grid.scale == (1, 1, 1) and grid.offset == (0, 0, 0)
    np.testing.assert_array_equal(grid.cut(volume), volume)
    np.testing.assert_array_equal(grid.paste(volume, volume.shape, 1), volume)


def test_halving_a_row_takes_the_middle_of_two_voxels():
    row = np.array([[[0.0, 2.0, 4.0, 6.0]]])
    grid = SliceGrid.of_box((0, 0, 0), (1, 1, 4), (1, 1, 2))
    assert grid.scale[2] == 2 and grid.offset[2] == 0.5
    assert grid.cut(row).tolist() == [[[1, 5]]]


def test_beyond_the_volume_is_what_is_asked_for():
    grid = SliceGrid.of_box((0, -2, 0), (1, 2, 2), (1, 4, 2))
    found = grid.cut(np.ones((1, 2, 2)), outside=-1000)
    assert found[0, :, 0].tolist() == [-1000, -1000, 1, 1]
    pasted = grid.paste(np.ones((1, 4, 2)), (2, 4, 2), 0)
    assert pasted[0, :, 0].tolist() == [1, 1, 0, 0] and not pasted[1].any()


def test_the_square_around_the_lungs_is_square_in_mm():
    lung = np.zeros((2, 20, 30), bool)
    lung[0, 5:9, 10:20] = True
    low, high = lung_square(lung, 0.1, (2.0, 1.0))  # 8 mm by 10 mm: the side is 12 mm
    assert ((high - low) * (2.0, 1.0)).tolist() == [12, 12]
    assert ((low + high) / 2).tolist() == [7, 15]


def _by_scipy(array, scale, offset, shape, order, outside):
    """What the grid does, by scipy's general resampling."""
    found = affine_transform(
        array, np.asarray(scale), offset, tuple(shape), order=order, mode='nearest'
    )
    for axis, size in enumerate(array.shape):
        place = scale[axis] * np.arange(shape[axis]) + offset[axis]
        np.moveaxis(found, axis, 0)[(place < -0.5) | (place > size - 0.5)] = outside
    return found


def _random_grid(seed):
    rng = np.random.default_rng(seed)
    volume = rng.normal(-500, 300, size=rng.integers(5, 40, 3)).astype(np.float32)
    size = np.array(volume.shape)
    low, high = rng.uniform(-0.2, 0.3, 3) * size, rng.uniform(0.7, 1.2, 3) * size
    return volume, SliceGrid.of_box(low, high, tuple(int(n) for n in rng.integers(4, 30, 3)))


@pytest.mark.parametrize('seed', range(8))
def test_cutting_is_what_scipy_does(seed):
    volume, grid = _random_grid(seed)
    for smooth in (False, True):
        sigma = [max((s - 1) / 2, 0) for s in grid.scale]
        blurred = gaussian_filter(volume, sigma) if smooth else volume
        expected = _by_scipy(blurred, grid.scale, grid.offset, grid.shape, 1, -1024)
        np.testing.assert_allclose(grid.cut(volume, smooth, -1024), expected, atol=2e-3)


@pytest.mark.parametrize('seed', range(8))
def test_pasting_is_what_scipy_does(seed):
    volume, grid = _random_grid(seed)
    planes = np.random.default_rng(seed).integers(0, 256, grid.shape).astype(np.uint8)
    scale = [1 / s for s in grid.scale]
    offset = [-o / s for o, s in zip(grid.offset, grid.scale, strict=True)]
    for order in (0, 1):
        expected = _by_scipy(planes, scale, offset, volume.shape, order, 0)
        found = grid.paste(planes, volume.shape, order)
        assert found.dtype == np.uint8
        off = np.abs(found.astype(int) - expected)
        assert off.max() <= order and (off > 0).mean() < 1e-3  # one level where a half is rounded


def test_a_box_beside_the_volume_shows_nothing_of_it():
    grid = SliceGrid.of_box((0, 50, 0), (2, 60, 4), (2, 5, 4))
    assert (grid.cut(np.ones((2, 20, 4)), outside=-1) == -1).all()
    assert not grid.paste(np.ones(grid.shape), (2, 20, 4), 1).any()
    assert not grid.paste(np.ones(grid.shape), (2, 20, 4), 0).any()
