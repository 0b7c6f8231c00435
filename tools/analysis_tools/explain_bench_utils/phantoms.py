"""Phantoms with a planted shortcut, as stores: the slices, their causes, and what was planted."""

from pathlib import Path

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.phantom import write_phantom
from xaicovid_mm.data_prep.phantom.shortcuts import SHORTCUTS
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.splits.assign import random_split, write_split
from xaicovid_mm.data_prep.store.reader import SliceStore

NONE = 'none'
PHANTOMS = (NONE, *SHORTCUTS)
LABELLED = 5
"""Patients of each class whose slices are labelled, if there are enough."""
PLACELESS = ('brightness_shift',)
"""Shortcuts that lie everywhere, so that no map can point at them."""
UNFILLED = ('mass_outside',)
"""Shortcuts that a network sees only if the outside of the lungs is not set to 0."""


def make_phantom(out: Path, name: str, *, patients: int, size: int, seed: int) -> Path:
    """Make the stores of a phantom in a folder, unless they are there.

    Args:
        out: Folder of the bench; the phantom gets the folder ``name`` in it.
        name: One of ``PHANTOMS``. The same seed gives the same patients in all of them.
        patients: Patients of each class, at least 6.
        size: H = W of the slices.
        seed: Of patients and split.

    Returns:
        The phantom's folder: ``store``, and ``store_shortcut`` whose causes are what was planted.
    """
    folder = out / name
    if (folder / 'store' / 'splits' / 'default.npy').is_file():
        return folder
    shortcut = None if name == NONE else name
    table = write_phantom(
        folder, patients_per_class=patients, seed=seed, shortcut=shortcut, workers=1
    )
    tables = dict(store=table)
    if shortcut:
        tables['store_shortcut'] = folder / 'shortcuts.csv'
    for place, path in reversed(tables.items()):
        prepare_volumes(path, folder / place, SliceSpec(size), kind='phantom')
    store = SliceStore(folder / 'store')
    roles = random_split(store, seed, labelled_per_class=min(LABELLED, patients // 3))
    write_split(store, 'default', roles, parameters=dict(seed=seed))
    return folder
