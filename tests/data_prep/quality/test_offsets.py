"""HU stored with an offset: the offset is named, also where values were cut or padded before."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.quality.hounsfield import intensity_issues


@pytest.fixture(scope='module')
def chest_hu():
    return make_case(2, SITES[0], [0, 2, 2]).hu.astype(int)


def round_field(hu, value):
    """The scan with a value around a round field of view."""
    _, y, x = np.indices(hu.shape)
    middle = (hu.shape[1] - 1) / 2
    return np.where(np.hypot(y - middle, x - middle) > hu.shape[1] / 2, value, hu)


BEFORE = {
    'as scanned': lambda hu: hu,
    'cut at -1000': lambda hu: hu.clip(-1000),
    'cut at -1024': lambda hu: hu.clip(-1024),
    'padded with -1024': lambda hu: round_field(hu, -1024),
    'padded and cut at -1000': lambda hu: round_field(hu, -1024).clip(-1000),
}


@pytest.mark.parametrize('offset', [1000, 1024, -1000])
@pytest.mark.parametrize('case', BEFORE)
def test_an_offset_is_recognised_and_said(chest_hu, case, offset):
    hu = BEFORE[case](chest_hu)
    assert [issue.severity for issue in intensity_issues(hu)] == []
    (issue,) = intensity_issues(hu + offset)
    verb = 'subtract' if offset > 0 else 'add'
    assert issue.code == 'intercept' and issue.remedy == f'if it is CT, {verb} {abs(offset)}'


@pytest.mark.parametrize('offset', [1000, 1024])
def test_an_offset_is_recognised_beside_padding_far_below(chest_hu, offset):
    stored = round_field(chest_hu.clip(-1000) + offset, -2000)
    padding, shift = intensity_issues(stored)
    assert padding.code == 'padding' and shift.remedy == f'if it is CT, subtract {offset}'


def test_a_narrow_window_with_an_offset_is_no_lost_intercept(chest_hu):
    (issue,) = intensity_issues(chest_hu.clip(-160, 240) + 1024)
    assert issue.code == 'cut values'
