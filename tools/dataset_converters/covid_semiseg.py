"""Convert COVID-SemiSeg (Inf-Net) to slice tables.

https://github.com/DengPingFan/Inf-Net and arXiv 2004.14133. The folder is the publisher's Dataset
folder, or holds LungInfection-Train and LungInfection-Test unpacked side by side:

  TrainingSet/LungInfection-Train/Doctor-label/{Imgs,GT}   50 slices with masks
  TrainingSet/LungInfection-Train/Pseudo-label/Imgs        1600 slices; GT is a network's, not read
  TestingSet/LungInfection-Test/{Imgs,GT}                  48 slices with masks

The publisher does not state which patient a slice is of, and no patients are made up here. The
slices with masks are 98 of 100 of the MedSeg set, of more than 40 patients
(https://medicalsegmentation.com/covid19). All count as one unknown source, in training and test
alike, so the publisher's test is no test on new patients. The other slices are of 20 scans of the
COVID-19 CT Collection, a second unknown source; COVID-19-CT-Seg annotates 20 scans from there. A
store cannot hold a source in two roles, so the publisher's two parts make two stores. Every slice
is a case of its own.

  python tools/dataset_converters/covid_semiseg.py FOLDER data/semiseg
  python tools/prepare_data.py images data/semiseg/train.csv data/semiseg/train
  python tools/prepare_data.py images data/semiseg/test.csv data/semiseg/test
  python tools/prepare_data.py split data/semiseg/train --file data/semiseg/train_split.json
  python tools/prepare_data.py split data/semiseg/test --file data/semiseg/test_split.json
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import check_pairs, files_by_name, need_folder, run, write_table

from xaicovid_mm.utils.files import write_text

MEDSEG, COLLECTION = 'medseg_unknown', 'ct_collection_unknown'
REMEDY = 'unpack LungInfection-Train.zip and LungInfection-Test.zip into one folder'
Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    run(convert, __doc__, argv)


def convert(folder: Path, out: Path) -> list[str]:
    """Write ``train.csv``, ``train_split.json``, ``test.csv`` and ``test_split.json``.

    Returns:
        The lines of a summary: what is there, what is missing, and what to beware of.

    Raises:
        ScanError: If a folder is missing, or an image has no mask or a mask no image.
    """
    train = _part(folder, 'TrainingSet', 'LungInfection-Train')
    labelled = _labelled('train', need_folder(train / 'Doctor-label', REMEDY))
    unlabelled = _rows('pseudo', need_folder(train / 'Pseudo-label' / 'Imgs', REMEDY), COLLECTION)
    test = _labelled('test', _part(folder, 'TestingSet', 'LungInfection-Test'))
    _write(out, 'train', labelled + unlabelled, dict(labelled=[MEDSEG], unlabelled=[COLLECTION]))
    _write(out, 'test', test, dict(test=[MEDSEG]))
    return [
        f'{out / "train.csv"}: {len(labelled)} of 50 slices with masks, {len(unlabelled)} of 1600 '
        'without',
        f'{out / "test.csv"}: {len(test)} of 48 slices with masks',
        'beware: patients are unknown; training and test slices may be of the same patients',
        'beware: unlabelled slices are of scans that COVID-19-CT-Seg holds: do not test on those',
        'beware: no patients for validation, and no lung masks, so --crop-lung cannot be used',
    ]


def _write(out: Path, part: str, rows: list[Row], split: dict[str, list[str]]) -> None:
    write_table(out / f'{part}.csv', rows)
    write_text(out / f'{part}_split.json', json.dumps(split, indent=1))


def _part(folder: Path, kind: str, name: str) -> Path:
    inside = folder / kind / name
    return inside if inside.is_dir() else need_folder(folder / name, REMEDY)


def _labelled(part: str, folder: Path) -> list[Row]:
    rows = _rows(part, need_folder(folder / 'Imgs', REMEDY), MEDSEG)
    masks = files_by_name(need_folder(folder / 'GT', REMEDY), '.png')
    names = [row['image'].stem for row in rows]
    check_pairs(names, masks, folder / 'GT', REMEDY)
    check_pairs(masks, names, folder / 'Imgs', REMEDY)
    return [row | {'infection': masks[row['image'].stem]} for row in rows]


def _rows(part: str, folder: Path, source: str) -> list[Row]:
    return [
        dict(
            case=f'{part}_{name}',
            patient=source,
            slice=0,
            image=path,
            infection='',
            lung='',
            label='COVID-19',
            site=source,
        )
        for name, path in files_by_name(folder, '.jpg', '.png').items()
    ]


if __name__ == '__main__':
    main()
