"""Public CT slices with a manifest -> slice table and split of the benchmark.

The folder holds ct_dev/manifest.csv as docs/data.md describes it. COVID-19 slices come from the
COVID-19 CT Lung and Infection Segmentation set, NP slices from "QualityIssue lungs in CT". Images
without a lung mask (LUNA16 slices, lung crops) are left out: lung masking is what makes the
sources comparable.

  python tools/dataset_converters/benchmark_ct.py CT_FOLDER data/benchmark
  python tools/prepare_data.py images data/benchmark/slices.csv data/benchmark/store \\
      --size 128 --crop-lung 0.03 --clahe-sites kaggle_finding_lungs
  python tools/prepare_data.py split data/benchmark/store --name benchmark \\
      --file data/benchmark/split.json
"""

import argparse
import csv
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.utils.errors import user_errors

COVID_PATIENTS = {
    'labelled': ['coronacases_001', 'coronacases_002', 'coronacases_003', 'radiopaedia_10'],
    'unlabelled': ['coronacases_004', 'coronacases_005', 'coronacases_006', 'radiopaedia_27'],
    'val': ['coronacases_007', 'radiopaedia_36'],
}
NP_PATIENTS = {'labelled': 60, 'unlabelled': 40, 'val': 34}
SOURCES = ('ma20_clahe', 'kaggle_finding_lungs')


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='holds ct_dev/manifest.csv')
    parser.add_argument('out', type=Path, help='gets slices.csv and split.json')
    parser.add_argument('--seed', type=int, default=0, help='of the NP patients of each role')
    args = parser.parse_args(argv)
    with user_errors():
        _convert(args.folder, args.out, args.seed)


def _convert(folder: Path, out: Path, seed: int) -> None:
    manifest = folder / 'ct_dev' / 'manifest.csv'
    if not manifest.is_file():
        raise FileNotFoundError(f'{manifest} is not there: give the folder that holds ct_dev')
    with open(manifest, newline='', encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file) if row['source'] in SOURCES]
    out.mkdir(parents=True, exist_ok=True)
    _write_table(rows, folder / 'ct_dev', out / 'slices.csv')
    healthy = sorted({row['patient'] for row in rows if row['class'] == 'NP'})
    (out / 'split.json').write_text(json.dumps(_split(healthy, seed), indent=1))


def _write_table(rows: list[dict[str, str]], base: Path, path: Path) -> None:
    def place(name: str) -> str:
        return os.path.relpath(base / name, path.parent) if name else ''

    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site'])
        for row in rows:
            number = int(Path(row['file']).stem.split('_')[-1])
            masks = place(row['infection_mask']), place(row['lung_mask'])
            image = place(row['file'])
            who = row['patient'], row['patient'], number
            writer.writerow([*who, image, *masks, row['class'], row['source']])


def _split(healthy: list[str], seed: int) -> dict[str, list[str]]:
    random.Random(seed).shuffle(healthy)
    split = {}
    for role, covid in COVID_PATIENTS.items():
        split[role] = covid + [healthy.pop() for _ in range(NP_PATIENTS[role])]
    return split


if __name__ == '__main__':
    main()
