"""What a transform cannot draw from is refused when it is built, by the name of its argument."""

import pytest

from xaicovid_mm.datasets.transforms import (
    DensePatches,
    IntensityJitter,
    RandomGeometry,
    RandomWindow,
    StrongView,
)


@pytest.mark.parametrize(
    'transform, arguments, named',
    [
        (StrongView, dict(blur_px=(1.0, 0.0)), r'blur_px=\[1.0, 0.0\]: 0 <= low <= high'),
        (StrongView, dict(sharpness=(-1, -1)), r'sharpness=\[-1, -1\]: 0 <= low'),
        (StrongView, dict(gamma=(0, 2)), r'gamma=\[0, 2\]: 0 < low'),
        (StrongView, dict(brightness=(-0.001, 1)), 'brightness'),
        (IntensityJitter, dict(gamma=(0.5, -1)), 'gamma'),
        (IntensityJitter, dict(noise_std=(-1, -1)), 'noise_std'),
        (RandomGeometry, dict(scale=(1.5, 1.2)), r'scale=\[1.5, 1.2\]: 0 < low <= high'),
        (RandomGeometry, dict(scale=(0, 0)), 'scale'),
        (RandomGeometry, dict(rotate_deg=(5, -5)), r'rotate_deg=\[5, -5\]: low <= high'),
        (RandomGeometry, dict(shift=50.0), 'shift=50.0'),
        (RandomWindow, dict(low=(0.2, -0.2)), r'low=\[0.2, -0.2\]'),
        (DensePatches, dict(radius=(0.3, 0.05)), 'radius'),
        (DensePatches, dict(patches=0), 'patches=0'),
    ],
)
def test_a_range_that_cannot_be_drawn_from_is_named(transform, arguments, named):
    with pytest.raises(ValueError, match=named):
        transform(**arguments)


def test_a_range_of_one_number_is_a_range():
    RandomGeometry(rotate_deg=(-5, -5), scale=(0.5, 0.5))
    StrongView(contrast=(0, 0), blur_px=(0, 0))
