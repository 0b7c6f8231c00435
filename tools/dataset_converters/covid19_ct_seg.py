"""Convert the COVID-19 CT Lung and Infection Segmentation set (COVID-19-CT-Seg) to two case tables.

https://zenodo.org/record/3757476 and https://github.com/JunMa11/COVID-19-CT-Seg-Benchmark: 20 scans
with masks of lungs and infection. The folder holds three of the zips, each unpacked into a folder
of its name; the fourth, Lung_and_Infection_Mask, repeats two of them and is not read.

  COVID-19-CT-Seg_20cases/coronacases_001.nii.gz ... radiopaedia_7_85703_0.nii.gz
  Lung_Mask/<the same names>        1 left lung, 2 right lung; both are lung here
  Infection_Mask/<the same names>   1 infection

Two traps are handled. The publisher has windowed the radiopaedia_* files to 0..255, from -1250 to
250 HU: they go to a table and a store of their own. Files of one patient keep one patient name:
radiopaedia_10_85902_1 and _3 (stated by the publisher), radiopaedia_29_86490_1 and _86491_1 (two
studies of one Radiopaedia case by their names; the publisher counts 19 patients, this table 18).
The set comes without a split.

  python tools/dataset_converters/covid19_ct_seg.py FOLDER data/ct_seg
  python tools/prepare_data.py volumes data/ct_seg/hu.csv data/ct_seg/hu
  python tools/prepare_data.py volumes data/ct_seg/display.csv data/ct_seg/display \\
      --intensity display
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import check_pairs, files_by_name, need_folder, run, write_table

from xaicovid_mm.utils.errors import ScanError

IN_HU = [f'coronacases_{number:03d}' for number in range(1, 11)]
WINDOWED = [
    'radiopaedia_10_85902_1',
    'radiopaedia_10_85902_3',
    'radiopaedia_14_85914_0',
    'radiopaedia_27_86410_0',
    'radiopaedia_29_86490_1',
    'radiopaedia_29_86491_1',
    'radiopaedia_36_86526_0',
    'radiopaedia_40_86625_0',
    'radiopaedia_4_85506_1',
    'radiopaedia_7_85703_0',
]
FOLDERS = dict(image='COVID-19-CT-Seg_20cases', infection='Infection_Mask', lung='Lung_Mask')


def main(argv: Sequence[str] | None = None) -> None:
    run(convert, __doc__, argv)


def convert(folder: Path, out: Path) -> list[str]:
    """Write ``hu.csv`` and ``display.csv``, as far as there are scans for them.

    Returns:
        The lines of a summary: what is there, what is missing, and what to beware of.

    Raises:
        ScanError: If a folder or a mask is missing, or a scan is not of the set.
    """
    files = _files(folder)
    lines = []
    for table, names in (('hu.csv', IN_HU), ('display.csv', WINDOWED)):
        rows = [_row(name, files) for name in names if name in files['image']]
        write_table(out / table, rows)
        patients = len({row['patient'] for row in rows})
        lines.append(f'{out / table}: {len(rows)} scans of {patients} patients')
    missing = sorted({*IN_HU, *WINDOWED} - files['image'].keys())
    return [
        *lines,
        f'not there: {", ".join(missing) or "none"}',
        'beware: display.csv is windowed to 0..255, prepare it with --intensity display',
        'beware: radiopaedia_10_* are one patient, and radiopaedia_29_*',
        'beware: front and back of radiopaedia_* may be swapped: look at slices, see '
        'docs/how-to/public-sets.md',
    ]


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """Files by column of the table and by name of the scan."""
    files = {
        column: files_by_name(
            need_folder(folder / name, f'unpack {name}.zip of Zenodo record 3757476 into it'),
            '.nii.gz',
        )
        for column, name in FOLDERS.items()
    }
    if unknown := sorted(files['image'].keys() - {*IN_HU, *WINDOWED}):
        raise ScanError(
            f'{folder / FOLDERS["image"]} holds {unknown}, which are none of the 20 scans',
            'take them out, or use the names of Zenodo record 3757476',
        )
    for column in ('infection', 'lung'):
        where = folder / FOLDERS[column]
        check_pairs(files['image'], files[column], where, f'unpack {where.name}.zip again')
    return files


def _row(name: str, files: dict[str, dict[str, Path]]) -> dict[str, Any]:
    source, number = name.split('_')[:2]
    return dict(
        case=name,
        patient=f'{source}_{number}',
        **{column: by_name[name] for column, by_name in files.items()},
        label='COVID-19',
        site=source,
    )


if __name__ == '__main__':
    main()
