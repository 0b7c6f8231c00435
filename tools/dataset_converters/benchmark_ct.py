"""Convert public CT slices with a manifest to the slice table and split of the benchmark.

The folder holds ct_dev/manifest.csv, see docs/how-to/public-sets.md. COVID-19 slices come from the
COVID-19 CT Lung and Infection Segmentation set, NP slices from "Finding lungs in CT". Images
without a lung mask (LUNA16 slices, lung crops) are left out: lung masking is what makes the
sources comparable.

  python tools/dataset_converters/benchmark_ct.py CT_FOLDER data/benchmark
  python tools/prepare_data.py images data/benchmark/slices.csv data/benchmark/store \\
      --size 128 --crop-lung 0.03 --clahe-sites kaggle_finding_lungs
  python tools/prepare_data.py split data/benchmark/store --name benchmark \\
      --file data/benchmark/split.json
"""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from common import manifest_rows, write_table

from xaicovid_mm.cli.parser import CommandParser, at_least_0
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text

COVID_PATIENTS = {
    'labelled': ['coronacases_001', 'coronacases_002', 'coronacases_003', 'radiopaedia_10'],
    'unlabelled': ['coronacases_004', 'coronacases_005', 'coronacases_006', 'radiopaedia_27'],
    'val': ['coronacases_007', 'radiopaedia_36'],
}
NP_PATIENTS = {'labelled': 60, 'unlabelled': 40, 'val': 34}
PUBLISHERS = ('coronacases', 'radiopaedia')
SOURCES = ('ma20_clahe', 'kaggle_finding_lungs')


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _convert(args.folder, args.out, args.seed)


def _convert(folder: Path, out: Path, seed: int) -> None:
    rows = manifest_rows(folder, SOURCES)
    write_table(out / 'slices.csv', [_row(row, folder / 'ct_dev') for row in rows])
    healthy = sorted({row['patient'] for row in rows if row['class'] == 'NP'})
    write_text(out / 'split.json', json.dumps(_split(healthy, seed), indent=1))


def _row(row: dict[str, str], base: Path) -> dict[str, str | int | Path]:
    def path(name: str) -> str | Path:
        return base / name if name else ''

    return dict(
        case=row['patient'],
        patient=row['patient'],
        slice=int(Path(row['file']).stem.split('_')[-1]),
        image=path(row['file']),
        infection=path(row['infection_mask']),
        lung=path(row['lung_mask']),
        label=row['class'],
        site=_site(row),
    )


def _site(row: dict[str, str]) -> str:
    """The publisher. COVID-19 slices are of two, whose looks differ; the patient's name says it."""
    name = row['patient'].partition('_')[0]
    return name if name in PUBLISHERS else row['source']


def _split(healthy: list[str], seed: int) -> dict[str, list[str]]:
    random.Random(seed).shuffle(healthy)
    split = {}
    for role, covid in COVID_PATIENTS.items():
        split[role] = covid + [healthy.pop() for _ in range(NP_PATIENTS[role])]
    return split


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('folder', type=Path, help='holds ct_dev/manifest.csv')
    parser.add_argument('out', type=Path, help='gets slices.csv and split.json')
    parser.add_argument(
        '--seed', type=at_least_0, default=0, help='seed of the draw of NP patients'
    )
    return parser


if __name__ == '__main__':
    main()
