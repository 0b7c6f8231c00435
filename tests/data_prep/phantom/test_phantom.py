"""The phantom holds what its documentation says."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to
from scipy.ndimage import distance_transform_edt, shift
from skimage.registration import phase_cross_correlation

from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.data_prep.phantom import make_case, write_phantom
from xaicovid_mm.data_prep.phantom.anatomy import Grid
from xaicovid_mm.data_prep.phantom.scanner import SITES, Position

NORTH = SITES[0]


@pytest.fixture(scope='module')
def sick():
    return [make_case(2, NORTH, [0, 2, number]) for number in range(5)]


def test_a_seed_gives_the_same_scan_again():
    first, again, other = (make_case(2, NORTH, [seed]) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.hu, again.hu)
    np.testing.assert_array_equal(first.infection, again.infection)
    assert (first.hu != other.hu).mean() > 0.5


def test_another_scan_is_the_same_chest_seen_otherwise():
    first, second = (make_case(2, NORTH, [7], scan) for scan in (0, 1))
    strangers = [make_case(2, NORTH, [seed]).infection for seed in (8, 9, 10)]
    assert (first.hu != second.hu).mean() > 0.5
    assert dice(first.lung, second.lung) > 0.85 > dice(first.infection, second.infection)
    same = dice(first.infection, second.infection)
    assert same > 0.1 + max(dice(first.infection, stranger) for stranger in strangers)


def test_another_scanner_sees_the_same_disease():
    volumes = []
    for scan, site in enumerate(SITES):
        case = make_case(2, site, [7], scan)
        volumes.append(case.infection.sum() * np.prod(case.spacing))
    assert max(volumes) < 1.1 * min(volumes)


def test_both_files_of_a_patient_show_one_disease_and_other_patients_show_another(tmp_path):
    write_phantom(tmp_path, patients_per_class=2, sites=2)
    first, second, stranger = (
        nib.load(tmp_path / 'volumes' / f'covid{name}_infection.nii.gz')
        for name in ('000_0', '000_1', '001_0')
    )
    assert nib.aff2axcodes(first.affine) != nib.aff2axcodes(second.affine)
    assert overlap(first, second) > 0.6 > 0.5 > overlap(first, stranger)


def overlap(one, other):
    """Dice of two masks in files, once the position of the body is taken out."""
    still, moved = one.get_fdata(), resample_from_to(other, one, order=0).get_fdata()
    by, *_ = phase_cross_correlation(still, moved, normalization=None)
    return dice(still > 0, shift(moved, by, order=0) > 0)


def test_a_shift_is_read_in_mm_and_a_quarter_turn_swaps_the_axes():
    grid = Grid((3, 5, 5), (8.0, 2.0, 2.0))
    body = np.zeros(grid.shape)
    body[1, 2, 3] = 1
    shifted = Position(0, np.array([8.0, 2.0, -2.0])).place(body, grid, grid, order=0)
    turned = Position(90, np.zeros(3)).place(body, grid, grid, order=0)
    assert np.argwhere(shifted).tolist() == [[0, 1, 4]]
    assert np.argwhere(turned).tolist() == [[1, 3, 2]]


def test_a_shifted_body_reaches_both_ends_of_the_field_of_view(sick):
    for case in sick:
        middle = case.hu[[0, -1], :, case.hu.shape[2] // 2]
        assert (middle > -200).any(1).all()


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_lesions_lie_inside_the_lungs(sick):
    for case in sick:
        assert case.infection.any() and not (case.infection & ~case.lung).any()


def test_only_covid_has_infection_and_only_np_has_no_cause():
    healthy, pneumonia = make_case(0, NORTH, [1]), make_case(1, NORTH, [1])
    assert not healthy.cause.any() and not healthy.infection.any()
    assert pneumonia.cause.any() and not pneumonia.infection.any()


def test_covid_is_peripheral_and_basal(sick):
    depth_ratio, heights = [], []
    for case in sick:
        depth = distance_transform_edt(case.lung, sampling=case.spacing)
        depth_ratio.append(depth[case.infection].mean() / depth[case.lung].mean())
        height = np.broadcast_to(np.arange(len(case.hu))[:, None, None], case.hu.shape)
        heights.append(height[case.infection].mean() - height[case.lung].mean())
    assert max(depth_ratio) < 0.85 and max(heights) < 0


def test_cap_is_one_dense_part_of_one_lung():
    for seed in range(4):
        case = make_case(1, NORTH, [seed])
        middle = case.lung.shape[2] // 2
        sides = case.cause[..., :middle].sum(), case.cause[..., middle:].sum()
        assert min(sides) == 0
        assert np.median(case.hu[case.cause]) > -250


def test_ground_glass_lies_between_lung_and_tissue(sick):
    healthy = np.concatenate([c.hu[c.lung & ~c.infection] for c in sick])
    glass = np.concatenate([c.hu[c.infection] for c in sick])
    assert np.median(healthy) + 60 < np.median(glass) < -100


def test_some_of_the_ground_glass_is_consolidated(sick):
    dense = [(case.hu[case.infection] > -200).mean() for case in sick]
    assert 0.03 < min(dense) and max(dense) < 0.4


def test_lesions_fill_a_part_of_the_lungs(sick):
    shares = [case.infection.sum() / case.lung.sum() for case in sick]
    assert 0.05 < min(shares) and max(shares) < 0.27


def test_sick_patients_have_lesion_free_slices_too(sick):
    shares = [case.infection.any((1, 2))[case.lung.any((1, 2))].mean() for case in sick]
    assert 0.55 < np.mean(shares) < 0.85


def test_sites_differ_in_noise_and_voxels():
    noise = []
    for site in SITES:
        case = make_case(0, site, [0])
        corner = case.hu[:, :4, :4].astype(float)
        noise.append(corner[corner > -1024].std())
        assert case.spacing == site.spacing
    assert noise[1] > 1.3 * noise[0]


def test_lungs_are_found_by_threshold():
    case = make_case(0, NORTH, [3])
    found = lung_mask(case.hu, case.spacing)
    assert dice(found, case.lung) > 0.9


def test_no_lungs_are_found_where_there_are_none():
    assert not lung_mask(np.zeros((4, 16, 16)), (5.0, 2.0, 2.0)).any()
