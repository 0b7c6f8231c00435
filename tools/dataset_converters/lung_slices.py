"""Convert public CT with lung masks to the slice table and split of the lung model.

The folder is that of benchmark_ct.py and holds volumes_hu/ as well. The masks come with the two
sets of slices. Neither set has slices without lung, so three healthy scans are added with masks by
threshold, for training only: two of LUNA16, and every second slice of normal001.

  python tools/dataset_converters/lung_slices.py CT_FOLDER data/lungs
  python tools/prepare_data.py images data/lungs/slices.csv data/lungs/store \\
      --size 128 --min-lung-px 0
  python tools/prepare_data.py split data/lungs/store --name lungs --file data/lungs/split.json
"""

import argparse
import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from common import manifest_rows

from xaicovid_mm.cli.parser import CommandParser, at_least_0
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_csv, write_text

SETS = ('ma20_clahe', 'kaggle_finding_lungs')
HELD_OUT = ('coronacases_006', 'coronacases_007', 'radiopaedia_27', 'radiopaedia_36')
HELD_OUT_NP = 34
"""NP patients that are held out, of 134."""
WINDOW = (-1350, 150)
"""HU of black and white of the 8-bit slices that are not COVID-19."""
LUNA_MM = (2.5, 1.4, 1.4)
"""Spacing (z, y, x) of the LUNA16 slices; assumed, since the files do not give it."""
Row = dict[str, str]


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _convert(args.folder, args.out, args.seed)


def _convert(folder: Path, out: Path, seed: int) -> None:
    from xaicovid_mm.data_prep.case_table import SLICE_COLUMNS

    (out / 'images').mkdir(parents=True, exist_ok=True)
    rows = [*_masked(folder, out), *_luna(folder, out), *_scan(folder, out, 'normal001')]
    write_csv(out / 'slices.csv', rows, SLICE_COLUMNS)
    write_text(out / 'split.json', json.dumps(_split(rows, seed), indent=1))


def _masked(folder: Path, out: Path) -> Iterator[Row]:
    for row in manifest_rows(folder, SETS):
        names = {'image': row['file'], 'lung': row['lung_mask']}
        files = {k: os.path.relpath(folder / 'ct_dev' / v, out) for k, v in names.items()}
        yield _row(row['patient'], row['file'], row['source']) | files


def _luna(folder: Path, out: Path) -> Iterator[Row]:
    from skimage.io import imread

    from xaicovid_mm.data_prep.lungs.threshold import lung_mask

    rows = manifest_rows(folder, ('luna_normal',))
    for patient in sorted({row['patient'] for row in rows}):
        files = sorted(row['file'] for row in rows if row['patient'] == patient)
        images = np.stack([imread(folder / 'ct_dev' / name) for name in files])
        lungs = lung_mask(images / 255 * (WINDOW[1] - WINDOW[0]) + WINDOW[0], LUNA_MM)
        for name, image, lung in zip(files, images, lungs, strict=True):
            yield _row(patient, name, 'luna_normal') | _save(out, Path(name).stem, image, lung)


def _scan(folder: Path, out: Path, name: str) -> Iterator[Row]:
    from xaicovid_mm.data_prep.io.scan import read_volume
    from xaicovid_mm.data_prep.lungs.threshold import lung_mask

    scan = read_volume(folder / 'volumes_hu' / f'{name}.nii.gz')
    lungs = lung_mask(scan.data, scan.spacing_mm)
    shares = ((scan.data - WINDOW[0]) / (WINDOW[1] - WINDOW[0])).clip(0, 1)
    images = np.rint(255 * shares).astype(np.uint8)
    for z in range(0, len(lungs), 2):
        saved = _save(out, f'{name}_{z:04d}', images[z], lungs[z])
        yield _row(name, f'{name}_{z:04d}', 'covid_ct_md') | saved


def _row(patient: str, name: str, site: str) -> Row:
    return dict(case=patient, patient=patient, slice=Path(name).stem.split('_')[-1], site=site)


def _save(out: Path, name: str, image: np.ndarray, lung: np.ndarray) -> Row:
    from skimage.io import imsave

    files = {'image': f'images/{name}.png', 'lung': f'images/{name}_lung.png'}
    for file, data in zip(files.values(), (image, lung.astype(np.uint8) * 255), strict=True):
        imsave(out / file, data, check_contrast=False)
    return files


def _split(rows: list[Row], seed: int) -> dict[str, list[str]]:
    healthy = sorted({row['patient'] for row in rows if row['site'] == 'kaggle_finding_lungs'})
    random.Random(seed).shuffle(healthy)
    held_out = {*HELD_OUT, *healthy[:HELD_OUT_NP]}
    patients = sorted({row['patient'] for row in rows})
    return {
        'labelled': [p for p in patients if p not in held_out],
        'val': [p for p in patients if p in held_out],
    }


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('folder', type=Path, help='holds ct_dev/manifest.csv and volumes_hu/')
    parser.add_argument('out', type=Path, help='gets slices.csv, split.json and images/')
    parser.add_argument(
        '--seed', type=at_least_0, default=0, help='seed of the draw of held-out NP patients'
    )
    return parser


if __name__ == '__main__':
    main()
