"""PseudoSeg's calibration."""

import pytest
import torch

from xaicovid_mm.models.calibration import RMSFusion


def test_rms_fusion_by_hand():
    decoded = torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
    refined = torch.tensor([3.0, -3.0]).view(1, 2, 1, 1)
    # rms sqrt(5): softmax of +-1/sqrt 5 and -+3/sqrt 5 is 0.7098 and 0.0640, the mean 0.3869,
    # sharpened 0.3869^2 / (0.3869^2 + 0.6131^2)
    assert RMSFusion(0.5)(decoded, refined).item() == pytest.approx(0.28482, abs=1e-4)


def test_rms_fusion_knows_no_scale():
    a, b = torch.randn(2, 2, 4, 4), torch.randn(2, 2, 4, 4)
    fuse = RMSFusion()
    torch.testing.assert_close(fuse(a, b), fuse(7 * a, 7 * b))


def test_agreed_background_is_labelled_two_percent():
    p = torch.sigmoid(torch.tensor(-2.0))
    floor = (p**2 / (p**2 + (1 - p) ** 2)).item()
    assert RMSFusion().background_floor() == pytest.approx(floor)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match='temperature=0'):
        RMSFusion(0)
