"""Per-slice records that the metrics collect and write as CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from torch import Tensor

from ...utils.files import write_csv
from ..disagreement import MASK_COLUMNS


def keep_known(records: Sequence[dict[str, Any]], key: str, what: str) -> list[dict[str, Any]]:
    """Return the records that have ``key``, each slice once; log how many slices lack it.

    The sampler repeats slices to fill the last batch of several ranks: they count once.

    Args:
        records: Records of all ranks, each with a ``sample_id``.
        key: Key that a scored slice must have.
        what: What ``key`` stands for, for the log.
    """
    once = list({record['sample_id']: record for record in records}.values())
    kept = [record for record in once if key in record]
    if len(kept) < len(once):
        MMLogger.get_current_instance().info(
            f'{len(once) - len(kept)} of {len(once)} slices have no known {what}: not scored'
        )
    return kept


def slice_ids(sample: dict[str, Any]) -> dict[str, str]:
    """Return the identifiers of a slice: sample, case, patient and site."""
    return {key: sample[key] for key in ('sample_id', 'case', 'patient', 'site')}


def pixel_counts(predicted: Tensor, true: Tensor) -> dict[str, int]:
    """Count true positive, false positive and false negative pixels of two bool masks."""
    return dict(
        tp=int((predicted & true).sum()),
        fp=int((predicted & ~true).sum()),
        fn=int((~predicted & true).sum()),
    )


def shared_class(scores: Tensor) -> float:
    """Return the sum over the classes of the lowest of V probabilities (V, C), in [0, 1]."""
    return float(scores.amin(0).sum())


def shared_pixels(masks: Tensor) -> dict[str, float]:
    """Return the pixels that are in all of V masks, bool (V, H, W), and the mean size of a mask."""
    values = (masks.all(0).sum(), masks.float().mean(0).sum())
    return {name: float(value) for name, value in zip(MASK_COLUMNS, values, strict=True)}


def write_records(records: Sequence[dict[str, Any]], path: str | None) -> None:
    """Write the records as CSV, on the first rank only, if a path is given."""
    if path and records and is_main_process():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, records, list(records[0]))
