"""Public CT with lung masks -> slice table and split of the lung model.

The folder is that of benchmark_ct.py and holds volumes_hu/ as well. Masks are those that the two
sets of slices come with. Neither set has slices without lung, so three healthy scans are added with
masks by threshold, for training only: two of LUNA16, and every second slice of normal001.

  python tools/dataset_converters/lung_slices.py CT_FOLDER data/lungs
  python tools/prepare_data.py images data/lungs/slices.csv data/lungs/store \\
      --size 128 --min-lung-px 0
  python tools/prepare_data.py split data/lungs/store --name lungs --file data/lungs/split.json
"""

import argparse
import csv
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from skimage.io import imread, imsave

from xaicovid_mm.data_prep.case_table import SLICE_COLUMNS
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import lung_mask

SETS = ('ma20_clahe', 'kaggle_finding_lungs')
HELD_OUT = ('coronacases_006', 'coronacases_007', 'radiopaedia_27', 'radiopaedia_36')
HELD_OUT_NP = 34  # of 134
WINDOW = (-1350, 150)  # of the 8-bit slices that are no COVID-19
LUNA_MM = (2.5, 1.4, 1.4)  # assumed: the files do not say
Row = dict[str, str]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='holds ct_dev/manifest.csv and volumes_hu/')
    parser.add_argument('out', type=Path, help='gets slices.csv, split.json and images/')
    parser.add_argument('--seed', type=int, default=0, help='of the NP patients that are held out')
    args = parser.parse_args(argv)
    (args.out / 'images').mkdir(parents=True, exist_ok=True)
    rows = [*_masked(args.folder, args.out), *_luna(args.folder, args.out)]
    rows += _scan(args.folder, args.out, 'normal001')
    with open(args.out / 'slices.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, SLICE_COLUMNS, restval='')
        writer.writeheader()
        writer.writerows(rows)
    (args.out / 'split.json').write_text(json.dumps(_split(rows, args.seed), indent=1))


def _masked(folder: Path, out: Path) -> Iterator[Row]:
    for row in _manifest(folder, SETS):
        names = {'image': row['file'], 'lung': row['lung_mask']}
        files = {k: os.path.relpath(folder / 'ct_dev' / v, out) for k, v in names.items()}
        yield _row(row['patient'], row['file'], row['source']) | files


def _luna(folder: Path, out: Path) -> Iterator[Row]:
    rows = _manifest(folder, ('luna_normal',))
    for patient in sorted({row['patient'] for row in rows}):
        files = sorted(row['file'] for row in rows if row['patient'] == patient)
        shown = np.stack([imread(folder / 'ct_dev' / name) for name in files])
        lungs = lung_mask(shown / 255 * (WINDOW[1] - WINDOW[0]) + WINDOW[0], LUNA_MM)
        for name, image, lung in zip(files, shown, lungs, strict=True):
            yield _row(patient, name, 'luna_normal') | _save(out, Path(name).stem, image, lung)


def _scan(folder: Path, out: Path, name: str) -> Iterator[Row]:
    scan = read_volume(folder / 'volumes_hu' / f'{name}.nii.gz')
    lungs = lung_mask(scan.data, scan.spacing_mm)
    shown = np.rint(255 * ((scan.data - WINDOW[0]) / (WINDOW[1] - WINDOW[0])).clip(0, 1))
    for z in range(0, len(lungs), 2):
        saved = _save(out, f'{name}_{z:04d}', shown[z].astype(np.uint8), lungs[z])
        yield _row(name, f'{name}_{z:04d}', 'covid_ct_md') | saved


def _row(patient: str, name: str, site: str) -> Row:
    return dict(case=patient, patient=patient, slice=Path(name).stem.split('_')[-1], site=site)


def _save(out: Path, name: str, image: np.ndarray, lung: np.ndarray) -> Row:
    files = {'image': f'images/{name}.png', 'lung': f'images/{name}_lung.png'}
    for file, data in zip(files.values(), (image, lung.astype(np.uint8) * 255), strict=True):
        imsave(out / file, data, check_contrast=False)
    return files


def _manifest(folder: Path, sources: Sequence[str]) -> list[Row]:
    with open(folder / 'ct_dev' / 'manifest.csv', newline='', encoding='utf-8') as file:
        return [row for row in csv.DictReader(file) if row['source'] in sources]


def _split(rows: list[Row], seed: int) -> dict[str, list[str]]:
    healthy = sorted({row['patient'] for row in rows if row['site'] == 'kaggle_finding_lungs'})
    random.Random(seed).shuffle(healthy)
    held_out = {*HELD_OUT, *healthy[:HELD_OUT_NP]}
    patients = sorted({row['patient'] for row in rows})
    return {
        'labelled': [p for p in patients if p not in held_out],
        'val': [p for p in patients if p in held_out],
    }


if __name__ == '__main__':
    main()
