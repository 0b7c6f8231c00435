"""What each slice was taught, a row per slice and epoch."""

import csv
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor, nn

from ...structures import CTSample
from ...utils.files import write_csv
from .pseudo_label_symptoms import agreement_of

SLICES_FILE = 'pseudo_label_slices.csv'
MEANS = ('area', 'confidence', 'teaching', 'agreement')
COLUMNS = ('epoch', 'sample', 'seen', *MEANS, 'gate', 'model')


class PseudoLabelRecord:
    """Collect what the pseudo masks of an epoch were, and write it to ``pseudo_label_slices.csv``.

    The columns are means over the times that a slice was ``seen`` in the epoch:

    - ``area``: share of the pixels that teach whose mask is above 0.5; ``confidence``: mean of
      max(y, 1 - y) of them, in [0.5, 1]; ``teaching``: their share of the slice;
    - ``agreement``: correlation of mask and decoder, in [-1, 1], empty where one is constant;
    - ``gate``: the weight eta of L_u; ``model``: start of the weights' sha256 after the epoch.
    """

    def __init__(self) -> None:
        self._slices: dict[str, list[tuple[float, ...]]] = {}
        self._written = False

    def add(
        self,
        samples: Sequence[CTSample],
        masks: Tensor,
        teaching: Tensor,
        prob: Tensor | None,
    ) -> None:
        """Add the pseudo masks of a batch.

        Args:
            samples: Of the slices.
            masks: (B, 1, H, W) in [0, 1].
            teaching: Bool (B, 1, H, W), the pixels that teach.
            prob: The decoder's (B, 1, H, W), None if it is not known.
        """
        count = teaching.sum((1, 2, 3))
        of = count.clamp(min=1)
        area = ((masks > 0.5) & teaching).sum((1, 2, 3)) / of
        sure = (torch.maximum(masks, 1 - masks) * teaching).sum((1, 2, 3)) / of
        share = count / masks[0].numel()
        agreement = [math.nan] * len(masks) if prob is None else agreement_of(masks, prob, teaching)
        numbers = torch.stack([area, sure, share], 1).tolist()
        for sample, values, agreed in zip(samples, numbers, agreement, strict=True):
            self._slices.setdefault(sample.sample_id, []).append((*values, agreed))

    def write(self, folder: Path, epoch: int, model: nn.Module) -> None:
        """Append the rows of an epoch, of the slices of all ranks, and forget them.

        Args:
            folder: The work dir. A resumed run replaces the epochs that it repeats.
            epoch: Counted from 1.
            model: Without distributed wrapper, after the epoch.
        """
        gathered = all_gather_object(self._slices)
        self._slices = {}
        if not is_main_process():
            return
        seen: dict[str, list[tuple[float, ...]]] = {}
        for slices in gathered:
            for name, values in slices.items():
                seen.setdefault(name, []).extend(values)
        weights = getattr(model, 'loss_weights', {})
        after = dict(gate=weights.get('eta', ''), model=_weights_sha256(model)[:12])
        rows = [
            dict(epoch=epoch, sample=name, seen=len(values), **_mean(values), **after)
            for name, values in sorted(seen.items())
        ]
        _append(folder / SLICES_FILE, rows, None if self._written else epoch)
        self._written = True


def _mean(values: Sequence[tuple[float, ...]]) -> dict[str, str]:
    """Means over the times that a slice was seen, as text; empty for what is no number."""
    means = (sum(column) / len(column) for column in zip(*values, strict=True))
    return {
        name: '' if math.isnan(mean) else f'{mean:.4f}'
        for name, mean in zip(MEANS, means, strict=True)
    }


def _weights_sha256(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _append(path: Path, rows: list[dict], earlier_than: int | None) -> None:
    """Append rows; with ``earlier_than`` first remove those of that epoch or later."""
    if earlier_than is None:
        with open(path, 'a', newline='', encoding='utf-8') as file:
            csv.DictWriter(file, COLUMNS).writerows(rows)
        return
    old: list[dict] = []
    if path.is_file():
        with open(path, newline='', encoding='utf-8') as file:
            old = [row for row in csv.DictReader(file) if int(row['epoch']) < earlier_than]
    write_csv(path, [*old, *rows], COLUMNS)
