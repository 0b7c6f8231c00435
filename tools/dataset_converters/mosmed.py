"""Convert MosMedData COVID19_1110 to a case table.

https://mosmed.ai/datasets/covid19_1110 and arXiv 2005.06465: 1110 scans of 1110 patients, 50 of
CT-1 with a mask of ground glass and consolidation. The folder is COVID19_1110 as its README shows
it; dataset_registry.xlsx repeats the folders and is not read.

  studies/CT-0/study_0001.nii.gz ... studies/CT-4/
  masks/study_0255_mask.nii.gz ...

Labels are radiological findings alone, neither PCR nor clinic (README of the set): CT-0, no signs
of viral pneumonia, becomes NP; CT-1 to CT-4, by the share of the lungs involved, become COVID-19.
The grade stays in the column ``grade``, which prepare_data ignores. COVID-19 scans without a
mask can only be unlabelled. There are no CAP scans, no lung masks and no split.

  python tools/dataset_converters/mosmed.py FOLDER data/mosmed
  python tools/prepare_data.py volumes data/mosmed/cases.csv data/mosmed/store --workers 4
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import check_pairs, files_by_name, need_folder, run, write_table

from xaicovid_mm.utils.errors import ScanError

PUBLISHED = {'CT-0': 254, 'CT-1': 684, 'CT-2': 125, 'CT-3': 45, 'CT-4': 2}
PUBLISHED_MASKS = 50
REMEDY = 'give the unpacked COVID19_1110, which holds studies/CT-0 to CT-4 and masks/'


def main(argv: Sequence[str] | None = None) -> None:
    run(convert, __doc__, argv)


def convert(folder: Path, out: Path) -> list[str]:
    """Write ``cases.csv``.

    Returns:
        The lines of a summary: what is there, what is missing, and what to beware of.

    Raises:
        ScanError: If a folder is missing, a study has two grades, or a mask has no study.
    """
    masks = files_by_name(need_folder(folder / 'masks', REMEDY), '_mask.nii.gz')
    rows = [row for grade in PUBLISHED for row in _rows(folder / 'studies' / grade, masks)]
    _check(rows, masks, folder / 'studies')
    write_table(out / 'cases.csv', rows)
    grades = [row['grade'] for row in rows]
    counts = [f'{grade} {grades.count(grade)} of {n}' for grade, n in PUBLISHED.items()]
    return [
        f'{out / "cases.csv"}: {len(rows)} scans, one a patient: {", ".join(counts)}',
        f'masks: {len(masks)} of {PUBLISHED_MASKS}',
        'beware: classes are radiological findings; PCR is unknown, also of CT-0 (NP here)',
        'beware: only every 10th slice was published',
        'beware: 48 hospitals, not stated which scan is whose: a site audit cannot tell them apart',
    ]


def _rows(folder: Path, masks: dict[str, Path]) -> list[dict[str, Any]]:
    studies = files_by_name(need_folder(folder, REMEDY), '.nii.gz')
    return [
        dict(
            case=name,
            patient=name,
            image=path,
            infection=masks.get(name, ''),
            lung='',
            label='NP' if folder.name == 'CT-0' else 'COVID-19',
            site='mosmed',
            grade=folder.name,
        )
        for name, path in studies.items()
    ]


def _check(rows: list[dict[str, Any]], masks: dict[str, Path], studies: Path) -> None:
    names = [row['case'] for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ScanError(f'{studies} holds {twice} in two grades', 'unpack the set again')
    check_pairs(masks, names, studies, 'take the masks out, or unpack the set again')


if __name__ == '__main__':
    main()
