"""Write a slice store of synthetic lungs with noise, for timings that need no data."""

from pathlib import Path
from typing import Any

import numpy as np

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter

SLICES = 8
ROLES = ('labelled', 'labelled', 'unlabelled', 'unlabelled', 'val')


def write_synthetic_store(root: Path, side: int) -> None:
    """Write 15 patients of 8 slices, ``side`` x ``side``, with the split 'default'."""
    writer = StoreWriter(root, (side, side), 'hu', dict(kind='synthetic'))
    patients: dict[str, list[str]] = {role: [] for role in ROLES}
    for label in range(3):
        for number, role in enumerate(ROLES):
            name = f'p{label}{number}'
            patients[role].append(name)
            rng = np.random.default_rng([label, number])
            writer.add_case(
                StoreCase(
                    name=name,
                    patient=name,
                    site='synthetic',
                    label=label,
                    **_arrays(side, label, rng),
                )
            )
    writer.close()
    write_split(SliceStore(root), 'default', patients)


def _arrays(side: int, label: int, rng: np.random.Generator) -> dict[str, Any]:
    y, x = np.mgrid[:side, :side] / side - 0.5
    lung = ((np.abs(x) - 0.22) / 0.16) ** 2 + (y / 0.33) ** 2 < 1
    lesion = lung & ((np.abs(x) - 0.3) ** 2 + (y - 0.15) ** 2 < 0.06**2) & (label == 2)
    image = np.where(lesion, -500, -850) + rng.normal(0, 60, (SLICES, side, side))
    return dict(
        image=image,
        lung=np.broadcast_to(lung, image.shape),
        infection=np.broadcast_to(lesion, image.shape) if label == 2 else None,
    )
