"""What both metrics keep of a slice."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger


def known(records: Sequence[dict[str, Any]], key: str, what: str) -> list[dict[str, Any]]:
    """Records that have ``key``, each slice once; how many lack it (``what``) goes to the log.

    A sampler pads the last batch of several ranks with repeats: they count once.
    """
    once = list({record['sample_id']: record for record in records}.values())
    kept = [record for record in once if key in record]
    if len(kept) < len(once):
        MMLogger.get_current_instance().info(
            f'{len(once) - len(kept)} of {len(once)} slices have no known {what}: not scored'
        )
    return kept


def identity(sample: dict[str, Any]) -> dict[str, str]:
    """Who a slice is."""
    return {key: sample[key] for key in ('sample_id', 'case', 'patient', 'site')}


def write_csv(records: Sequence[dict[str, Any]], path: str | None) -> None:
    """Write records for later tables, on the first rank, if a path is given."""
    if path and records and is_main_process():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, fieldnames=list(records[0]))
            writer.writeheader()
            writer.writerows(records)
