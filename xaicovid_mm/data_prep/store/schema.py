"""The format of a slice store: version, index table, roles of a split, states of a mask."""

import numpy as np

FORMAT = 'xaicovid_mm slice store'
VERSION = 2
INDEX = 'index.npy'
"""The index table: a row per slice, ``INDEX_DTYPE``."""
LOCK = '.lock'
"""File that is locked while the store is written."""
ROLES = ('none', 'labelled', 'unlabelled', 'val', 'test')
"""Roles of a split, by code. Slices of role 'none' take no part."""
INDEX_DTYPE = np.dtype(
    [
        ('case', 'i4'),  # position in the store's cases
        ('slice', 'i4'),  # position in the stored case
        ('source_slice', 'i4'),  # nearest position in the upright input volume, or in the folder
        ('plane', 'i4'),  # position among the planes of the case's grid
        ('label', 'i1'),  # -1 unknown
        ('infection', 'i1'),  # UNKNOWN, STORED or EMPTY
        ('infection_px', 'i4'),
        ('lung_px', 'i4'),  # -1 without a lung mask
    ]
)
UNKNOWN, STORED, EMPTY = 0, 1, 2
"""States of an infection mask: nobody drew one; it is stored; the class rules infection out."""
