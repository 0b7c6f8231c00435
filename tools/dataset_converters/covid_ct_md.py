"""Convert COVID-CT-MD to a case table of DICOM folders, and list slices that show infection.

https://doi.org/10.6084/m9.figshare.12991592, https://doi.org/10.1038/s41597-021-00900-3 and
https://github.com/ShahinSHH/COVID-CT-MD: 169 COVID-19, 60 CAP and 76 normal patients (NP here), one
scan each. The folder holds the three unpacked class folders, "... Cases" on Figshare and
"... subjects" in the repository, and the slice labels if they are wanted:

  COVID-19 Cases/P001/*.dcm ...   Cap Cases/cap001/*.dcm ...   Normal Cases/normal001/*.dcm ...
  Index.csv   Slice-level-labels.npy or Slice-level-labels-updated-1.npy (which goes first)

A line of Index.csv belongs to the row of the array at the same place; its "Label Index" skips 43.
Labels run from head to foot. The publisher says "sorted by slice location" only, but in each of the
48 scans with lobe labels of both, the upper lobes come before the lower ones. ``slice_labels.csv``
counts from the foot, as ``source_slice`` in the index of a store does; prepare_data does not read
it. There are no masks of any kind and no split.

  python tools/dataset_converters/covid_ct_md.py FOLDER data/ct_md
  python tools/prepare_data.py volumes data/ct_md/cases.csv data/ct_md/store --workers 4
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import files_by_name, need_folder, run, write_table

from xaicovid_mm.utils.errors import ScanError, TableError

PUBLISHED = {'COVID-19': 169, 'CAP': 60, 'NP': 76}
FOLDERS = {'COVID-19': 'covid-19', 'CAP': 'cap', 'NP': 'normal'}
LABELS = ('Slice-level-labels-updated-1.npy', 'Slice-level-labels.npy')
Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    run(convert, __doc__, argv)


def convert(folder: Path, out: Path) -> list[str]:
    """Write ``cases.csv``, and ``slice_labels.csv`` if there are labels.

    Returns:
        The lines of a summary: what is there, what is missing, and what to beware of.

    Raises:
        ScanError: If a class folder is missing or a patient has no DICOM files.
        TableError: If the labels do not fit each other or the scans.
    """
    rows = [row for label in FOLDERS for row in _rows(folder, label)]
    labels = _labels(folder)
    lines = [line for row in rows if row['case'] in labels for line in _lines(row, labels)]
    write_table(out / 'cases.csv', rows)
    write_table(out / 'slice_labels.csv', lines)
    return _summary(out, rows, labels, lines)


def _summary(
    out: Path, rows: list[Row], labels: dict[str, np.ndarray], lines: list[Row]
) -> list[str]:
    classes = [row['label'] for row in rows]
    counts = [f'{label} {classes.count(label)} of {n}' for label, n in PUBLISHED.items()]
    missing = sorted(labels.keys() - {row['case'] for row in rows})
    infected = sum(line['infected'] for line in lines)
    return [
        f'{out / "cases.csv"}: {len(rows)} scans, one a patient: {", ".join(counts)}',
        f'slice labels: {len(lines)} slices of {len(labels) - len(missing)} scans, '
        f'{infected} infected',
        f'slice labels without a scan: {", ".join(missing) or "none"}',
        'beware: COVID-19 scans are of February to April 2020, CAP scans of 2018 and 2019',
        'beware: no masks, so COVID-19 can only be unlabelled',
    ]


def _rows(folder: Path, label: str) -> list[Row]:
    patients = sorted(path for path in _class_folder(folder, label).iterdir() if path.is_dir())
    if not patients:
        raise ScanError(f'{folder} holds no patient of {label}', 'unpack the zip of it again')
    for path in patients:
        files_by_name(path, '.dcm')  # raises if there is none
    return [
        dict(
            case=path.name,
            patient=path.name,
            image=path,
            infection='',
            lung='',
            label=label,
            site='covid_ct_md',
        )
        for path in patients
    ]


def _class_folder(folder: Path, label: str) -> Path:
    need_folder(folder, 'give the folder that holds the three class folders')
    names = [f'{FOLDERS[label]} {kind}' for kind in ('cases', 'subjects')]
    folders = [path for path in sorted(folder.iterdir()) if path.name.lower() in names]
    if len(folders) != 1:
        raise ScanError(
            f'{folder} holds {[path.name for path in folders]} for {label}, one folder expected',
            f'unpack one folder, {names[0]!r} or {names[1]!r}, into it',
        )
    return need_folder(folders[0], 'unpack the zip of that name')


def _labels(folder: Path) -> dict[str, np.ndarray]:
    """Labels of each patient that has any, a 0 or 1 per slice from head to foot."""
    index = folder / 'Index.csv'
    path = next((folder / name for name in LABELS if (folder / name).exists()), None)
    if path is None and not index.exists():
        return {}
    if path is None or not index.exists():
        raise TableError(
            f'{folder} holds one of Index.csv and {LABELS[1]}', 'put both there or none'
        )
    patients, array = _patients(index), _array(path)
    if array.ndim != 2 or len(array) != len(patients) or not np.isin(array, (0, 1)).all():
        raise TableError(
            f'{path} is {array.shape} with values {np.unique(array)[:5].tolist()}, {index} '
            f'has {len(patients)} patients, a row of 0 and 1 for each expected',
            'take both of one release',
        )
    return dict(zip(patients, array, strict=True))


def _patients(index: Path) -> list[str]:
    with open(index, newline='', encoding='utf-8-sig') as file:
        patients = [row.get('Folder/ID', '') for row in csv.DictReader(file)]
    if not all(patients) or len(set(patients)) < len(patients):
        raise TableError(
            f'{index}: "Folder/ID" is missing, empty or names a patient twice', 'download it again'
        )
    return patients


def _array(path: Path) -> np.ndarray:
    try:
        with open(path, 'rb') as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise TableError(f'{path} is no plain array ({error})', 'download it again') from error


def _lines(row: Row, labels: dict[str, np.ndarray]) -> list[Row]:
    """A line per slice, counted from the foot."""
    slices, label = len(files_by_name(row['image'], '.dcm')), labels[row['case']]
    if slices > len(label) or label[slices:].any():
        raise TableError(
            f'{row["image"]} holds {slices} slices, its labels reach to slice '
            f'{int(np.flatnonzero(label).max(initial=-1)) + 1} of {len(label)}',
            'unpack it again',
        )
    return [
        dict(case=row['case'], slice=number, infected=int(infected))
        for number, infected in enumerate(label[:slices][::-1])
    ]


if __name__ == '__main__':
    main()
