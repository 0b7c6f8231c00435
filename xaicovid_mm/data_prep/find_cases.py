"""Find the scans in folders."""

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..utils.errors import TableError
from ..utils.names import PREDICTION, RESERVED
from ..utils.words import counted
from .io.dicom.files import holds_ct_image
from .io.ignored import is_system_name
from .io.image_folder import is_image_folder

SCAN_SUFFIXES = ('.nii', '.nii.gz', '.zip')

_logger = logging.getLogger(__name__)


def find_cases(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Find scans by path, in folders at any depth, and name each case after its path.

    A folder stands for the NIfTI and zip files in it. A folder without such files is itself a
    scan, if slices lie in it; else what is found in its folders counts. Of those a folder is one
    scan, whatever lies deeper, unless several folders in it hold slices: then each of these is one.
    Files of the system do not count, nor does what lies beside scan files or beside slices in
    folders of its own, such as DICOMDIR, a dose report or a text: the log counts it. A file of one
    DICOM slice stands for its series.
    Folders of results of `infer` are passed over, also among the inputs, and the log says how many.

    A scan is named after its file or folder; one in a folder below an input after its path from
    there, joined by ``_``. Scans that would have the same name are named after the folders above
    them as well.

    Returns:
        Path by case name.

    Raises:
        FileNotFoundError: If an input does not exist, or a folder is empty.
        TableError: If a scan is given twice, two would have the same case name, a folder holds both
            scan files and folders or DICOM slices, or all inputs are folders of results.
    """
    given = [path for path in map(Path, inputs) if not (path.is_dir() and _is_result(path))]
    if inputs and not given:
        raise TableError(f'{inputs[0]} holds results of infer, no scans', 'give scans')
    if passed := len(inputs) - len(given):
        _logger.warning('folders of results are passed over: %d', passed)
    paths: dict[Path, Path] = {}
    for path in given:
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist: give a scan or a folder of scans')
        scans = [path] if path.is_file() else _scans_in(path)
        if not scans:
            raise FileNotFoundError(f'{path} is empty: give a scan or a folder of scans')
        for scan in scans:
            if scan in paths:
                raise TableError(f'{scan} is given twice', 'give each scan once')
            paths[scan] = path
    names = {
        scan: _stem('_'.join(scan.relative_to(top).parts) or scan.name)
        for scan, top in paths.items()
    }
    counts = Counter(names.values())
    cases: dict[str, Path] = {}
    for scan, name in names.items():
        name = _longer_name(scan, name, names) if counts[name] > 1 else name
        if name in cases:
            raise TableError(f'{cases[name]} and {scan} would both be case {name!r}', 'rename one')
        cases[name] = scan
    return cases


def _longer_name(scan: Path, name: str, names: Mapping[Path, str]) -> str:
    """The name with the folders above the scan, as many as tell it from others of that name.

    Links are not followed: they may all lead to one folder.
    """
    same = [Path(os.path.abspath(other)) for other, its in names.items() if its == name]
    parts = (Path(os.path.abspath(scan)).parent / _stem(scan.name)).parts[1:]
    for count in range(2, len(parts) + 1):
        tails = [(s.parent / _stem(s.name)).parts[-count:] for s in same]
        if tails.count(parts[-count:]) == 1:
            return '_'.join(parts[-count:])
    return name


def _stem(name: str) -> str:
    return re.sub(r'(\.nii)?(\.gz)?(\.zip|\.dcm)?$', '', name, flags=re.IGNORECASE)


def _scans_in(folder: Path) -> list[Path]:
    inside = sorted(
        path
        for path in folder.iterdir()
        if not (path.name.startswith('.') or is_system_name(path.name) or path.name in RESERVED)
    )
    if results := [path for path in inside if path.is_dir() and _is_result(path)]:
        _logger.warning('%s: folders of results are passed over: %d', folder, len(results))
        inside = [path for path in inside if path not in results]
    folders = [path for path in inside if path.is_dir()]
    files = [path for path in inside if not path.is_dir()]
    scans = [path for path in files if path.name.lower().endswith(SCAN_SUFFIXES)]
    others = [path for path in files if not path.name.lower().endswith(SCAN_SUFFIXES)]
    slices = list(filter(holds_ct_image, others)) if scans else []
    for kind, beside in (('folders', folders), ('DICOM slices', slices)):
        if scans and beside:
            raise TableError(
                f'{folder} holds both {len(scans)} scan files ({_first_names(scans)}) and {kind} '
                f'({_first_names(beside)})',
                f'name those that are scans, such as {folder}/*.nii.gz, or take the others out',
            )
    if not inside:
        return []
    if not scans and (not folders or is_image_folder(folder) or any(map(holds_ct_image, others))):
        return [folder]
    if others:
        _logger.warning(
            '%s: %s left out as no scan: %s',
            folder,
            counted(len(others), 'file'),
            _first_names(others),
        )
    return scans or [scan for path in folders for scan in _scans_below(path)]


def _first_names(paths: Sequence[Path]) -> str:
    return ', '.join(path.name for path in paths[:3]) + ', ...' * (len(paths) > 3)


def _is_result(folder: Path) -> bool:
    """Whether `infer` wrote the folder: that of a case, or one that holds such and nothing else."""
    if (folder / PREDICTION).is_file():
        return True
    inside = [path for path in folder.iterdir() if not path.name.startswith('.')]
    return bool(inside) and all(
        _is_result(path) if path.is_dir() else path.name in RESERVED for path in inside
    )


def _scans_below(folder: Path) -> list[Path]:
    """The scans of a folder that lies in another: itself, or several in it."""
    found = [scan for scan in _scans_in(folder) if scan.is_file() or _shows_slices(scan)]
    return found if len(found) > 1 or any(scan.is_file() for scan in found) else [folder]


def _shows_slices(folder: Path) -> bool:
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return is_image_folder(folder) or any(map(holds_ct_image, files))
