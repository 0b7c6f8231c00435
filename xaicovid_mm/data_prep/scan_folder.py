"""Scans of a folder, where no table says more about them."""

from collections.abc import Sequence
from pathlib import Path

from .case_table import read_table

SUFFIXES = ('.nii', '.nii.gz', '.zip')


def case_rows(
    table: str | Path, columns: Sequence[str], files: bool = True
) -> tuple[list[dict[str, str]], Path]:
    """Rows of a case table, see ``read_table``, and the folder that its paths start from.

    A folder of scans stands for a table that names each scan after its file, as a patient of its
    own at the site 'unknown', and says nothing else: all of them are unlabelled.

    Raises:
        StoreError: For a bad table.
        FileNotFoundError: If a folder holds no scan.
        ValueError: See ``find_cases``.
    """
    path = Path(table)
    if not path.is_dir():
        return read_table(path, columns, files), path.parent
    empty = dict.fromkeys(columns, '')
    rows = [
        empty | dict(case=name, patient=name, image=str(scan.resolve()), site='unknown')
        for name, scan in find_cases([path]).items()
    ]
    return rows, path


def find_cases(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Scans by case name.

    A folder stands for the NIfTI and zip files in it; without any it is a DICOM scan itself, or,
    if it holds nothing but folders, each of those is.

    Raises:
        FileNotFoundError: If an input is not there, or a folder holds no scan.
        ValueError: If two scans would have the same name, or a folder holds scan files and
            folders, which may be scans or not.
    """
    cases: dict[str, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist: give a scan or a folder of scans')
        found = [path] if path.is_file() else _scans_in(path)
        if not found:
            raise FileNotFoundError(f'{path} is empty: give a scan or a folder of scans')
        for scan in found:
            name = scan.name.removesuffix('.gz').removesuffix('.nii').removesuffix('.zip')
            if name in cases:
                raise ValueError(
                    f'{cases[name]} and {scan} would both be case {name!r}: rename one'
                )
            cases[name] = scan
    return cases


def _scans_in(folder: Path) -> list[Path]:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith('.'))
    scans = [path for path in inside if path.is_file() and path.name.endswith(SUFFIXES)]
    folders = [path.name for path in inside if path.is_dir()]
    if scans and folders:
        raise ValueError(
            f'{folder} holds both {len(scans)} scan files and folders ({", ".join(folders[:3])}): '
            f'name those that are scans, such as {folder}/*.nii.gz'
        )
    if scans or not inside:
        return scans
    return [folder] if any(path.is_file() for path in inside) else inside
