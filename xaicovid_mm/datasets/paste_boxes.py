"""Paste boxes of other slices, with their masks."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..registry import TASK_UTILS


@TASK_UTILS.register_module()
class PasteBoxes:
    """Paste a box of another slice into each strong view, and its mask into the pseudo mask.

    So a pseudo-labelled slice also holds places that are labelled for sure, and infection in
    surroundings that it never came with. As in CutMix and BCP; not in the paper.

    Args:
        area: Range of the box's share of the slice, in (0, 1).
        labelled: Probability that the other slice is a labelled one; it is else another
            pseudo-labelled one of the batch.

    Raises:
        ValueError: Unless 0 < area[0] <= area[1] < 1 and 0 <= labelled <= 1.
    """

    def __init__(self, area: tuple[float, float] = (0.2, 0.5), labelled: float = 0.5) -> None:
        if not 0 < area[0] <= area[1] < 1 or not 0 <= labelled <= 1:
            raise ValueError(
                f'area={tuple(area)}, labelled={labelled}: give 0 < area[0] <= area[1] < 1 and a '
                'probability'
            )
        self.area, self.labelled = area, labelled

    def __call__(
        self,
        views: Sequence[Tensor],
        masks: Sequence[Tensor],
        labelled_views: Sequence[Tensor],
        labelled_masks: Sequence[Tensor],
        rng: np.random.Generator,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return new views and masks; the arguments stay as they are.

        Args:
            views: Strong views of unlabelled slices, each (1, H, W).
            masks: Their pseudo masks, each (1, H, W).
            labelled_views: Labelled slices with a mask, each (1, H, W); may be empty.
            labelled_masks: Their masks, each (1, H, W).
            rng: Draws slices and boxes.
        """
        pasted: tuple[list[Tensor], list[Tensor]] = [], []
        for i, (view, mask) in enumerate(zip(views, masks, strict=True)):
            from_labelled = len(labelled_views) > 0 and rng.random() < self.labelled
            if from_labelled:
                other = int(rng.integers(len(labelled_views)))
                donor, donor_mask = labelled_views[other], labelled_masks[other]
            else:
                other = (i + 1 + int(rng.integers(max(len(views) - 1, 1)))) % len(views)
                donor, donor_mask = views[other], masks[other]
            box = self._box(view.shape[-2:], rng)
            pasted[0].append(torch.where(box.to(view.device), donor.to(view), view))
            pasted[1].append(torch.where(box.to(mask.device), donor_mask.to(mask), mask))
        return pasted

    def _box(self, size: Sequence[int], rng: np.random.Generator) -> Tensor:
        """Bool (1, H, W), True in a box of random area, shape and place that lies in the slice."""
        height, width = size
        share = rng.uniform(*self.area)
        ratio = np.exp(rng.uniform(*np.log((max(share, 0.5), min(1 / share, 2.0)))))
        sides = np.sqrt(share * ratio), np.sqrt(share / ratio)
        rows, columns = (
            max(round(min(side, 1.0) * length), 1)
            for side, length in zip(sides, (height, width), strict=True)
        )
        top = int(rng.integers(height - rows + 1))
        left = int(rng.integers(width - columns + 1))
        box = torch.zeros(1, height, width, dtype=torch.bool)
        box[:, top : top + rows, left : left + columns] = True
        return box
