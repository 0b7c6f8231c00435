"""Odd lung masks."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.quality.issue import WARNING
from xaicovid_mm.data_prep.quality.lung_mask import lung_mask_issues

SPACING = (5.0, 2.0, 2.0)
RIGHT, LEFT = (
    (slice(None), slice(20, 60), slice(15, 45)),
    (slice(None), slice(20, 60), slice(55, 85)),
)


@pytest.fixture
def chest():
    """A scan with a body in the middle, and its two lungs of 20 slices, 480 ml each."""
    scan = np.full((20, 80, 100), -1000.0)
    scan[:, 5:75, 5:95] = 40
    mask = np.zeros(scan.shape, bool)
    mask[RIGHT] = mask[LEFT] = True
    scan[mask] = -850
    return scan, mask


def test_two_like_lungs_raise_no_issue(chest):
    assert lung_mask_issues(chest[1], chest[0], SPACING) == []


def test_issues_do_not_depend_on_the_intensity_kind(chest):
    scan, mask = chest
    mask[LEFT] = False
    display = np.clip((scan + 1350) / 1500 * 255, 0, 255)
    assert lung_mask_issues(mask, display, SPACING) == lung_mask_issues(mask, scan, SPACING)


def test_an_empty_mask_is_no_lung(chest):
    (issue,) = lung_mask_issues(chest[1] & False, chest[0], SPACING)
    assert issue.code == 'no lung' and issue.severity == WARNING
    assert issue.text == 'no lung: 0 ml, at least 200 expected'


def test_a_crumb_is_no_lung(chest):
    mask = chest[1] & False
    mask[0, 20:40, 15:35] = True  # 400 voxels of 20 mm3
    (issue,) = lung_mask_issues(mask, chest[0], SPACING)
    assert issue.text == 'no lung: 8 ml, at least 200 expected'


@pytest.mark.parametrize('lost, side', [(RIGHT, 'right'), (LEFT, 'left')])
def test_a_lung_that_is_missing_is_named(chest, lost, side):
    scan, mask = chest
    mask[lost] = False
    (issue,) = lung_mask_issues(mask, scan, SPACING)
    assert issue.code == 'one lung' and issue.severity == WARNING
    assert issue.text == f'one lung: the {side} one has 0.00 of the other, at least 0.7 expected'


@pytest.mark.parametrize('rows, count', [(29, 0), (27, 1)])  # of 40: 0.725 and 0.675
def test_a_lung_that_is_much_smaller_is_flagged(chest, rows, count):
    scan, mask = chest
    mask[:, 20 + rows : 60, 55:85] = False
    assert len(lung_mask_issues(mask, scan, SPACING)) == count


def test_a_slice_that_lacks_its_lungs_is_named(chest):
    scan, mask = chest
    mask[7] = False
    issues = lung_mask_issues(mask, scan, SPACING)
    assert {(issue.code, issue.severity) for issue in issues} == {('area jumps', WARNING)}
    texts = [issue.text for issue in issues]
    assert texts[1] == 'area jumps at slice 7: 1.00 of the largest, at most 0.33 expected'
    assert [text.split(':')[0] for text in texts] == [f'area jumps at slice {z}' for z in (6, 7, 8)]


def test_lungs_that_taper_raise_no_issue(chest):
    scan, mask = chest
    for z in range(10):
        mask[10 + z, 60 - 4 * z :] = False
    assert lung_mask_issues(mask, scan, SPACING) == []
