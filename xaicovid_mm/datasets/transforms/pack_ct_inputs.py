"""Pack a slice for the model, the last step of every pipeline."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...structures import CTSample

META = ('sample_id', 'case', 'patient', 'site', 'slice_index', 'pixel_mm', 'is_labelled')


@TRANSFORMS.register_module()
class PackCTInputs(BaseTransform):
    """Turn a slice and its labels into a tensor and a ``CTSample``.

    Args:
        two_views: Add ``weak_inputs``, the weak view. ``inputs`` is then the strong view of an
            unlabelled slice; of a labelled slice both are the weak view. A second strong view, of
            ``TwoStrongViews``, goes with the sample.
    """

    def __init__(self, two_views: bool = False) -> None:
        self.two_views = two_views

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` and, for two views, ``weak_inputs``, float32 (1, H, W), and the sample.

        Raises:
            KeyError: If an unlabelled slice has no strong view.
        """
        plain = _tensor(results['image'], np.float32)
        packed: dict[str, Any] = dict(inputs=plain, data_samples=_sample(results))
        if self.two_views:
            packed['weak_inputs'] = plain
            if not results['is_labelled']:
                if 'strong' not in results:
                    raise KeyError(
                        f'slice {results["sample_id"]} has no strong view: put StrongView before '
                        'PackCTInputs(two_views=True)'
                    )
                packed['inputs'] = _tensor(results['strong'], np.float32)
        return packed


def _sample(results: dict[str, Any]) -> CTSample:
    sample = CTSample(metainfo={name: results[name] for name in META})
    if results['label'] is not None:
        sample.label = torch.tensor(results['label'])
    if results['infection'] is not None:
        sample.infection = _tensor(results['infection'], np.uint8)
    if 'second' in results:
        sample.second_view = _tensor(results['second'], np.float32)
    if results['lung'] is not None:
        sample.lung = _tensor(results['lung'], bool)
    return sample


def _tensor(array: np.ndarray, dtype: type) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype))[None]
