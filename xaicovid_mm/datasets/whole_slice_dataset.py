"""Samples with the whole slice, for training a lung network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..registry import DATASETS
from ..utils.errors import StoreError
from .slice_dataset import SliceDataset


@DATASETS.register_module()
class WholeSliceDataset(SliceDataset):
    """Whole slices, with nothing set to 0 outside the lungs, and their lung masks.

    Neither class nor infection mask is needed. Not in the paper.

    Args:
        store: Folder of the slice store; it must not be cropped to the lungs.
        split: Name of a split of that store.
        roles: Roles to use, out of 'labelled', 'unlabelled', 'val', 'test'.
        pipeline: Configs of transforms; the last is ``PackCTInputs``.
        window: HU that become 0 and 1.

    Raises:
        StoreError: If the store or split is not there, a role has no slices, the store is cropped
            to the lungs, or a case has no lung mask.
    """

    def __init__(
        self,
        store: str | Path,
        split: str,
        roles: Sequence[str],
        pipeline: Sequence[dict],
        window: tuple[float, float] = (-1350, 150),
    ) -> None:
        super().__init__(store, split, roles, pipeline, lung_fill=False, window=window)
        self._check_lungs()

    def _check_labels(self) -> None:
        """Check nothing: neither class nor infection mask is needed."""

    def _check_lungs(self) -> None:
        if margin := self.store.manifest['parameters'].get('crop_lung'):
            raise StoreError(
                f'{self.store.root} is cropped to the lungs (margin {margin}), which tells '
                'where they are',
                'prepare it without --crop-lung',
            )
        cases = [self.store.cases[c] for c in np.unique(self.store.index['case'][self.rows])]
        if names := sorted(case.name for case in cases if not case.has_lung):
            raise StoreError(
                f'{self.store.root}: cases without lung masks: {names}',
                'give them in the case table, or leave their patients out of the split',
            )
