"""From the store to the scan, whatever happened on the way in."""

from dataclasses import asdict
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from xaicovid_mm.data_prep.orientation import to_upright, upright_spacing
from xaicovid_mm.data_prep.slicing.grid import SliceGrid, slices_to_file_grid
from xaicovid_mm.data_prep.slicing.slices import SliceSpec, extract_slices
from xaicovid_mm.data_prep.store.geometry import stored_affine, to_file_grid, to_source
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.records import Case
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.data_prep.volume import Volume
from xaicovid_mm.utils.errors import StoreError

SHAPE = (24, 29, 21)
FLAT, NARROW = (1.4, 0.9, 2.5), (0.7, 3.1, 1.0)
ORIENTATIONS = [codes for axes in permutations(('LR', 'PA', 'SI')) for codes in product(*axes)]
HOW = {
    'as scanned': (FLAT, SliceSpec(40, min_lung_px=60)),
    'resampled': (FLAT, SliceSpec(40, (1.7, 1.7, 1.7), min_lung_px=60)),
    'cropped': (FLAT, SliceSpec(40, crop_lung=0.1, min_lung_px=60)),
    'both': (FLAT, SliceSpec(40, (1.7, 1.7, 1.7), 0.1, 60)),
    'both of a narrow scan': (NARROW, SliceSpec(40, (1.7, 1.7, 1.7), 0.1, 60)),
}


def affine_of(codes, spacing):
    """The affine of a file whose axes point where ``codes`` says."""
    affine = np.zeros((4, 4))
    for axis, (world, flip) in enumerate(nib.orientations.axcodes2ornt(codes)):
        affine[int(world), axis] = flip * spacing[axis]
    affine[:, 3] = 11, -7, 5, 1
    return affine


def ball(shape, radius):
    """A solid off every centre, ``radius`` as a share of the sides."""
    shares = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape], indexing='ij')
    return sum((s - c) ** 2 for s, c in zip(shares, (0.45, 0.55, 0.5), strict=True)) < radius**2


def cut(affine, how, data=None):
    lung, infection = (to_upright(ball(SHAPE, radius), affine) for radius in (0.4, 0.22))
    scan = to_upright(np.zeros(SHAPE) if data is None else data, affine)
    volume = Volume(scan, upright_spacing(affine), affine, SHAPE)
    return extract_slices(volume, lung, infection, spec=how, outside=0)


def case_of(grid, affine, rows=1):
    return Case(
        *('c', 'p', 's', None, 'cases/c', 0, rows, True, True, None),
        *(affine.tolist(), list(SHAPE), asdict(grid), '', [], []),
    )


@pytest.mark.parametrize('name', HOW)
@pytest.mark.parametrize('codes', ORIENTATIONS, ids=''.join)
def test_a_mask_comes_back_within_half_a_voxel(codes, name):
    spacing, how = HOW[name]
    affine, true = affine_of(codes, spacing), ball(SHAPE, 0.22)
    slices = cut(affine, how)
    assert len(slices.planes) < slices.grid.shape[0]  # some are left out
    back = slices_to_file_grid(
        slices.infection,
        planes=slices.planes,
        grid=slices.grid,
        affine=affine,
        original_shape=SHAPE,
    )
    assert back.shape == SHAPE and back.dtype == bool
    gap = np.subtract(center_of_mass(back), center_of_mass(true))
    assert np.abs(gap).max() < 0.5
    stored = np.argwhere(slices.infection).mean(0)
    stored[0] = slices.planes[np.argwhere(slices.infection)[:, 0]].mean()
    found = to_source(case_of(slices.grid, affine)) @ [*stored, 1]
    assert np.abs(found[:3] - center_of_mass(true)).max() < 0.5


@pytest.mark.parametrize('name', ['as scanned', 'both'])
@pytest.mark.parametrize('codes', ORIENTATIONS, ids=''.join)
def test_to_source_is_exact(codes, name):
    spacing, how = HOW[name]
    affine = affine_of(codes, spacing)
    for axis, coordinates in enumerate(np.indices(SHAPE).astype(float)):
        slices = cut(affine, how, coordinates)
        found = slices.grid.cut(to_upright(coordinates, affine), outside=np.nan)[slices.planes]
        matrix = to_source(case_of(slices.grid, affine))
        _, y, x = np.indices(found.shape)
        z = slices.planes[:, None, None]
        said = matrix[axis, 0] * z + matrix[axis, 1] * y + matrix[axis, 2] * x + matrix[axis, 3]
        inside = (said > 0) & (said < SHAPE[axis] - 1) & ~np.isnan(found)
        assert inside.sum() > 1000  # a square crop can reach beyond a narrow field of view
        np.testing.assert_allclose(found[inside], said[inside], atol=1e-4)


def test_an_oblique_scan_keeps_its_tilt():
    angle = np.deg2rad(10)
    tilt = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = affine_of('LPS', (1.0, 1.0, 2.0))
    affine[:3, :3] = tilt @ affine[:3, :3]
    grid = SliceGrid.of_box((0, 0, 0), SHAPE[::-1], (21, 58, 12))
    found = stored_affine(case_of(grid, affine))
    corner = np.array([-0.5, -0.5, -0.5, 1])  # the box is the scan: the corners are the same
    np.testing.assert_allclose(found @ corner, affine @ corner)
    steps = np.linalg.norm(found[:3, :3], axis=0)
    np.testing.assert_allclose(steps, (2.0, 0.5, 2.0))
    np.testing.assert_allclose(found[:3, 0] / 2, tilt[:, 2], atol=1e-12)


@pytest.fixture
def store(tmp_path):
    """A case of a volume in which planes 0 and 2 of 4 are left out, and one of images."""
    out = StoreWriter(tmp_path, (4, 4), 'hu', {})
    image, affine = np.arange(32).reshape(2, 4, 4), affine_of('LPS', (1, 1, 2))
    grid = SliceGrid.of_box((0, 0, 0), (4, 4, 4), (4, 4, 4))
    out.add_case(StoreCase(name='images', patient='p', site='s', image=image))
    place = dict(planes=[1, 3], grid=grid, affine=affine, original_shape=(4, 4, 4))
    out.add_case(StoreCase(name='scan', patient='q', site='s', image=image, **place))
    out.close()
    return SliceStore(tmp_path)


def test_slices_that_were_left_out_come_back_as_0(store):
    stack = np.arange(1, 33, dtype=np.uint8).reshape(2, 4, 4)
    for order in (0, 1):
        back = to_file_grid(store, 1, stack, order)
        assert back.dtype == np.uint8 and not back[..., [0, 2]].any()
        np.testing.assert_array_equal(back[..., 1], stack[0].T)
        np.testing.assert_array_equal(back[..., 3], stack[1].T)


def test_a_map_comes_back_linear(store):
    case = store.cases[1]
    ramp = np.indices((2, 4, 4))[2] / 4
    back = to_file_grid(store, 1, ramp, order=1)
    np.testing.assert_allclose(back[:, 0, 1], [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(stored_affine(case)[:3, 0], np.array(case.affine)[:3, 2])


@pytest.mark.parametrize(
    'number, shape, named',
    [(1, (4, 4, 4), r"'scan'.*\(4, 4, 4\).*\(2, 4, 4\)"), (0, (2, 4, 4), "'images' has no affine")],
)
def test_what_has_no_way_back_is_refused(store, number, shape, named):
    with pytest.raises(StoreError, match=named):
        to_file_grid(store, number, np.zeros(shape))
