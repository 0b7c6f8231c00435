"""Slices on which a hook measures while a model trains."""

from collections.abc import Iterator

import numpy as np
import torch

from ...datasets import SliceDataset
from ...models import MultiTaskModel
from ...registry import DATASETS
from ...structures import CTSample


class SpreadSlices:
    """Evenly spaced slices of a dataset, in batches.

    Args:
        dataset: Config of the dataset.
        max_slices: Number of slices; None or more than there are: all.
        batch_size: Slices at a time.

    Raises:
        ValueError: If ``max_slices`` or ``batch_size`` is below 1.
    """

    def __init__(self, dataset: dict, max_slices: int | None, batch_size: int) -> None:
        if batch_size < 1 or (max_slices is not None and max_slices < 1):
            raise ValueError(
                f'max_slices={max_slices}, batch_size={batch_size}: each must be 1 or more'
            )
        self.dataset: SliceDataset = DATASETS.build(dataset)
        self.batch_size = batch_size
        count = min(max_slices or len(self.dataset), len(self.dataset))
        self.positions = np.linspace(0, len(self.dataset) - 1, count).round().astype(int)

    def __len__(self) -> int:
        return len(self.positions)

    def batches(self, model: MultiTaskModel) -> Iterator[tuple[list[CTSample], torch.Tensor]]:
        """Yield the samples and the images (B, 1, H, W) of each batch, prepared for a model."""
        for start in range(0, len(self), self.batch_size):
            items = [self.dataset[i] for i in self.positions[start : start + self.batch_size]]
            inputs = {'inputs': [item['inputs'] for item in items]}
            images = model.data_preprocessor(inputs)['inputs']
            yield [item['data_samples'] for item in items], images
