"""Slices show what the scan and its lungs give; the truth decides nothing."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.slicing.slices import SliceSpec, extract_slices
from xaicovid_mm.data_prep.volume import Volume
from xaicovid_mm.utils.errors import ScanError

SHAPE = (12, 40, 48)
SPACING = (5.0, 2.0, 2.0)


@pytest.fixture
def scan():
    hu = np.random.default_rng(0).normal(-300, 400, SHAPE)
    return Volume(hu, SPACING, np.eye(4), SHAPE)


@pytest.fixture
def lung():
    lung = np.zeros(SHAPE, bool)
    lung[2:9, 10:30, 8:20] = lung[2:9, 10:30, 28:40] = True
    return lung


@pytest.fixture
def infection():
    """Inside the lungs, between them, beyond them, and on a slice without lung."""
    infection = np.zeros(SHAPE, bool)
    infection[4:11, 5:15, 15:46] = True
    return infection


@pytest.mark.parametrize(
    'spec', [SliceSpec(32), SliceSpec(32, crop_lung=0.1), SliceSpec(32, (3.0, 3.0, 3.0), 0.1)]
)
def test_the_truth_decides_nothing_about_the_input(scan, lung, infection, spec):
    blind, told = (
        extract_slices(scan, lung, mask, spec=spec, outside=0) for mask in (None, infection)
    )
    for name in ('image', 'lung', 'planes'):
        np.testing.assert_array_equal(getattr(blind, name), getattr(told, name))
    assert blind.grid == told.grid and blind.infection is None


def test_infection_outside_the_lungs_stays_in_the_mask(scan, lung, infection):
    slices = extract_slices(scan, lung, infection, spec=SliceSpec(48), outside=0)
    assert (slices.infection & ~slices.lung).any() and (slices.infection & slices.lung).any()


def test_slices_hold_whole_numbers_as_a_store_does(scan, lung):
    image = extract_slices(scan, lung, spec=SliceSpec(32), outside=0).image
    np.testing.assert_array_equal(image, image.astype(np.int16))


def test_the_least_lung_is_counted_in_pixels_of_the_slices(scan, lung):
    px = int(extract_slices(scan, lung, spec=SliceSpec(16, min_lung_px=1), outside=0).lung[0].sum())
    assert px < lung[2].sum() / 4
    assert len(extract_slices(scan, lung, spec=SliceSpec(16, min_lung_px=px), outside=0).planes)
    with pytest.raises(ScanError, match=f'no slice has {px + 1} px of lung'):
        extract_slices(scan, lung, spec=SliceSpec(16, min_lung_px=px + 1), outside=0)
