"""Write phantom patients as files: volumes, masks and a case table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, ornt_transform

from ...classes import CAP, CLASSES, COVID
from ...utils.errors import TableError
from ...utils.files import new_file, write_csv
from ...utils.parallel import parallel_map
from ..orientation import UPRIGHT
from .anatomy import Chest, Grid, make_chest
from .lesions import add_covid, add_pneumonia
from .scanner import SITES, Position, Site, field_of_view
from .shortcuts import SHORTCUTS

BODY_MM = (8.0, 2.5, 2.5)
"""Voxel size (z, y, x) in which a body is made, before it is scanned."""

Plan = tuple[int, int, int, Site]
"""Class, number of the patient in it, number of the scan, and site."""
Progress = Callable[[Iterable[dict[str, str]], int], Iterable[dict[str, str]]]
"""Wraps the finished rows, given their number, for instance to show a progress bar."""


@dataclass
class PhantomCase:
    """A scan of a phantom, upright.

    Attributes:
        hu: int16 (Z, Y, X).
        lung: bool (Z, Y, X), lesions included.
        infection: bool (Z, Y, X), COVID-19 only.
        cause: bool (Z, Y, X), the lesions of the class: infection or consolidation.
        spacing: (z, y, x) in mm.
    """

    hu: np.ndarray
    lung: np.ndarray
    infection: np.ndarray
    cause: np.ndarray
    spacing: tuple[float, float, float]


def make_case(label: int, site: Site, seed: Sequence[int], scan: int = 0) -> PhantomCase:
    """Make a patient of a class and scan it at a site.

    Args:
        label: Class of the patient.
        site: The site with its scanner.
        seed: Seed of the patient: the same seed gives the same chest with the same disease.
        scan: Number of the scan: each has its own position and noise.
    """
    body = field_of_view(BODY_MM)
    chest, cause = _make_patient(label, body, np.random.default_rng(seed))
    rng = np.random.default_rng([*seed, scan])
    position, grid = Position.draw(rng), field_of_view(site.spacing)
    hu = position.place(chest.hu, body, grid, order=1)
    lung, cause = (
        position.place(mask.astype(np.float32), body, grid, order=1) > 0.5
        for mask in (chest.lungs > 0, cause)
    )
    infection = cause if label == COVID else np.zeros_like(cause)
    return PhantomCase(site.scan(hu, rng), lung, infection, cause & lung, grid.spacing)


def _make_patient(label: int, body: Grid, rng: np.random.Generator) -> tuple[Chest, np.ndarray]:
    chest = make_chest(body, rng)
    if label == COVID:
        return chest, add_covid(chest, body, rng)
    if label == CAP:
        return chest, add_pneumonia(chest, body, rng)
    return chest, np.zeros(body.shape, bool)


def write_phantom(
    out: str | Path,
    *,
    patients_per_class: int = 18,
    sites: int = 3,
    seed: int = 0,
    shortcut: str | None = None,
    workers: int = 2,
    progress: Progress = lambda rows, total: rows,
) -> Path:
    """Write ``volumes/*.nii.gz`` and ``cases.csv``.

    The patients of each class go to the sites in turn, so that class and site are independent. The
    first patient of each class is scanned twice.

    Args:
        out: Folder to fill.
        patients_per_class: Number of patients of each of the three classes.
        sites: How many of ``SITES`` take part.
        seed: Seed of all patients and scans.
        shortcut: Planted in the scans of COVID-19, one of ``SHORTCUTS``; all else stays the same to
            the bit. The masks of what it changed are ``volumes/*_shortcut.nii.gz``, which
            ``shortcuts.csv`` names in the place of the causes of ``cases.csv``. Default: none.
        workers: Number of processes.
        progress: Wraps the finished rows.

    Returns:
        Path of the case table.

    Raises:
        ValueError: For more sites than there are, no patients, or another shortcut.
        TableError: If the folder holds a ``cases.csv`` of other cases. Nothing is written then.
        WorkerLostError: If a worker process was killed.
    """
    if not 1 <= sites <= len(SITES) or patients_per_class < 1:
        raise ValueError(
            f'sites={sites}, patients_per_class={patients_per_class}: give 1 to {len(SITES)} sites '
            'and at least 1 patient'
        )
    if shortcut not in (None, *SHORTCUTS):
        raise ValueError(f'shortcut={shortcut!r}: choose one of {[*SHORTCUTS]}')
    plan, table = list(_plan(patients_per_class, sites)), Path(out, 'cases.csv')
    _refuse_other_cases(table, plan)
    folder = Path(out, 'volumes')
    folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write_case, folder=folder, seed=seed, shortcut=shortcut)
    with parallel_map(write, plan, workers) as done:
        rows = list(progress(done, len(plan)))
    if shortcut:
        of_shortcut = [row | dict(cause=row.pop('shortcut')) for row in rows]
        write_csv(Path(out, 'shortcuts.csv'), of_shortcut, list(of_shortcut[0]))
    write_csv(table, rows, list(rows[0]))
    return table


def _refuse_other_cases(table: Path, plan: Iterable[Plan]) -> None:
    """Refuse to write over a case table that lists other cases, such as the user's own."""
    if not table.is_file():
        return
    lines = table.read_text(encoding='utf-8', errors='replace').splitlines()
    there = {tuple(line.split(',')[:: max(line.count(','), 1)]) for line in lines}  # first and last
    if there != {('case', 'site'), *((_case_name(*of), site.name) for *of, site in plan)}:
        raise TableError(
            f'{table} is there and lists other cases than this phantom would',
            'name another folder',
        )


def _case_name(label: int, number: int, scan: int) -> str:
    return f'{("np", "cap", "covid")[label]}{number:03d}_{scan}'


def _plan(patients_per_class: int, sites: int) -> Iterator[Plan]:
    for label in range(len(CLASSES)):
        for number in range(patients_per_class):
            for scan in range(2 if number == 0 else 1):
                yield label, number, scan, SITES[(number + scan) % sites]


def _write_case(plan: Plan, folder: Path, seed: int, shortcut: str | None) -> dict[str, str]:
    label, number, scan, site = plan
    name = _case_name(label, number, scan)
    patient = name.rpartition('_')[0]
    case = make_case(label, site, [seed, label, number], scan)
    arrays = dict(image=case.hu, infection=case.infection, lung=case.lung, cause=case.cause)
    if shortcut:
        planted = np.zeros_like(case.lung)
        if label == COVID:
            planted = SHORTCUTS[shortcut](case.hu, case.lung, case.spacing)
        arrays['shortcut'] = planted & ~case.cause
    row = dict(case=name, patient=patient, **dict.fromkeys(arrays, ''), label=CLASSES[label])
    for what, array in arrays.items():
        path = folder / f'{name}_{what}.nii.gz'
        with new_file(path) as unfinished:
            nib.save(_as_nifti(array, case.spacing, site.orientation), unfinished)
        if what not in ('cause', 'shortcut') or array.any():  # nothing marks a healthy chest
            row[what] = f'volumes/{path.name}'
    return row | dict(site=site.name)


def _as_nifti(
    array: np.ndarray, spacing: tuple[float, float, float], orientation: tuple[str, str, str]
) -> nib.Nifti1Image:
    """An upright array (Z, Y, X) as a NIfTI image with these axis codes, centred on 0 mm."""
    dtype = np.uint8 if array.dtype == bool else array.dtype
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(array.shape[::-1]) - 1) / 2)
    image = nib.Nifti1Image(array.astype(dtype).transpose(2, 1, 0), affine)
    turn = ornt_transform(axcodes2ornt(UPRIGHT), axcodes2ornt(orientation))
    return image.as_reoriented(turn)
