"""From a list of slices to one batch."""

import pytest
import torch

from xaicovid_mm.models import CTDataPreprocessor
from xaicovid_mm.structures import CTSample


def test_slices_of_several_sizes_are_named():
    data = dict(
        inputs=[torch.zeros(1, 32, 32), torch.zeros(1, 16, 16)],
        data_samples=[
            CTSample(metainfo=dict(sample_id='a/0')),
            CTSample(metainfo=dict(sample_id='b/7')),
        ],
    )
    with pytest.raises(ValueError, match='b/7'):
        CTDataPreprocessor()(data)


def test_slices_that_hold_nan_are_named():
    data = dict(
        inputs=[torch.zeros(1, 8, 8), torch.full((1, 8, 8), float('nan'))],
        data_samples=[
            CTSample(metainfo=dict(sample_id='a/0')),
            CTSample(metainfo=dict(sample_id='b/7')),
        ],
    )
    with pytest.raises(ValueError, match='b/7'):
        CTDataPreprocessor()(data)
