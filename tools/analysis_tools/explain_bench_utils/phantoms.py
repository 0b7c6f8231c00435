"""Phantoms with a planted shortcut, as stores: the slices, their causes, and what was planted."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.phantom import write_phantom
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.splits.assign import random_split, write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.files import write_text

from .names import NONE

LABELLED = 5
"""Patients of each class whose slices are labelled, if there are enough."""


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


def shuffle_classes(folder: Path, *, size: int, seed: int) -> Path:
    """Make the same store with the classes dealt anew among all patients, unless it is there.

    Slices, masks and roles stay. A network that is trained on it can learn where infection is and
    nothing about classes.

    Args:
        folder: Of ``make_phantom``.
        size: As there.
        seed: Of the order in which the classes are dealt.

    Returns:
        A folder with the store, as ``make_phantom``.
    """
    other = folder / 'shuffled'
    if (other / 'store' / 'splits' / 'default.npy').is_file():
        return other
    table = folder / 'cases.csv'
    with table.open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    classes = {row['patient']: row['label'] for row in rows}
    dealt = np.random.default_rng(seed).permutation([*classes.values()])
    given = dict(zip(classes, dealt, strict=True))
    lines = io.StringIO(newline='')
    writer = csv.DictWriter(lines, rows[0], lineterminator='\n')
    writer.writeheader()
    writer.writerows(dict(row, label=given[row['patient']]) for row in rows)
    shuffled = folder / 'shuffled.csv'
    write_text(shuffled, lines.getvalue())
    prepare_volumes(shuffled, other / 'store', SliceSpec(size), kind='phantom')
    record = json.loads((folder / 'store' / 'splits' / 'default.json').read_text(encoding='utf-8'))
    write_split(
        SliceStore(other / 'store'), 'default', record['patients'], parameters=dict(seed=seed)
    )
    return other
