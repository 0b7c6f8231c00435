"""The share of a mask in the air around the body, and when it is worth a search."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.body import inside_body
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.quality import outer_air
from xaicovid_mm.data_prep.quality.outer_air import MAX_OUTER_SHARE, OUTER_HU, OuterAir


@pytest.fixture(scope='module')
def case():
    return make_case(2, SITES[1], [0, 2, 2])


def moved(mask, columns):
    return np.roll(mask, columns, axis=2)


@pytest.mark.parametrize('columns', [0, 10, 25, 60])
def test_the_share_is_that_of_the_air_outside_of_the_body(case, columns):
    mask = moved(case.lung, columns)
    air = (case.hu < OUTER_HU) & ~inside_body(case.hu, case.spacing)
    share = air[mask].mean()
    found = OuterAir(case.hu, case.spacing)(mask)
    assert found == pytest.approx(share if share > MAX_OUTER_SHARE else 0)


def test_no_body_is_looked_for_if_a_mask_holds_little_air(case, monkeypatch):
    monkeypatch.setattr(outer_air, 'inside_body', lambda *args: pytest.fail('it was looked for'))
    share = OuterAir(case.hu, case.spacing)
    assert share(case.infection) == 0
    with pytest.raises(pytest.fail.Exception, match='looked for'):
        share(moved(case.lung, 60))


def test_the_body_is_looked_for_once(case, monkeypatch):
    calls = []
    monkeypatch.setattr(
        outer_air, 'inside_body', lambda *args: calls.append(1) or inside_body(*args)
    )
    share = OuterAir(case.hu, case.spacing)
    assert share(moved(case.lung, 60)) > 0.1 and share(moved(case.lung, 40)) > 0.1
    assert len(calls) == 1
