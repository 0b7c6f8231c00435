r"""Export a slice store as a data set of nnU-Net v2: annotated slices and folds, a case per slice.

  python tools/dataset_converters/nnunet.py data/benchmark/store nnUNet_raw --id 508 \
      --split fold0 fold1 fold2 fold3 fold4 --budget 8
  nnUNetv2_plan_and_preprocess -d 508 -c 2d
  cp nnUNet_raw/Dataset508_CTSlices/splits_final.json nnUNet_preprocessed/Dataset508_CTSlices/
  nnUNetv2_train 508 2d 0

Training cases of a fold are its labelled slices, those that a budget annotates and the healthy
ones. Validation cases are the slices of its validation patients whose infection is known. What
nnU-Net sees is what our networks see: one window, black outside the lungs.

With --pseudo-labels the unlabelled slices of one split are training cases too, with the labels that
a run on that split would teach them, cut at 0.5. Their names end in _pseudo, and dataset.json lists
them with the sha256 of the model. Pixels that the run would ignore get the label "ignore".

  XAICOVID_STORE=data/benchmark/store XAICOVID_SPLIT=fold0_budget8 \
      python tools/dataset_converters/nnunet.py data/benchmark/store nnUNet_raw --id 509 \
      --split fold0 --budget 8 --pseudo-labels configs/real_ct/recommended_semi.py CHECKPOINT
"""

import argparse
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.schema import UNKNOWN
from xaicovid_mm.utils.errors import StoreError, user_errors
from xaicovid_mm.utils.files import file_sha256, write_bytes, write_text

ENDING = '.nii.gz'


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        folder = args.raw / f'Dataset{args.id:03d}_{args.name}'
        store = SliceStore(args.store)
        count = export(store, folder, args.split, args.budget, args.pseudo_labels)
        Console().print(f'{folder}: {count} slices, {len(args.split)} folds')


def export(
    store: SliceStore,
    folder: Path,
    splits: Sequence[str],
    budget: int | None,
    model: tuple[str, str] | None = None,
) -> int:
    """Write imagesTr, labelsTr, dataset.json and splits_final.json.

    Args:
        store: The slice store.
        folder: Folder of the data set, ``DatasetNNN_NAME``; new or empty.
        splits: Splits of the store, a fold each.
        budget: Annotated slices with infection, see ``write_budget_split``; None: all.
        model: Config and checkpoint of a run on the only split, whose pseudo labels make training
            cases of its unlabelled slices; None: there are none.

    Returns:
        Number of cases.

    Raises:
        StoreError: If the folder holds something, a fold has nobody to train on or to validate,
            there are pseudo labels for several folds, or as ``write_budget_split``.
        ValueError: As ``PseudoLabels``.
    """
    from pseudo_labels import IGNORE, INFECTION, THRESHOLD, PseudoLabels

    from xaicovid_mm.data_prep.splits.budget import write_budget_split

    _check_wishes(folder, splits, model)
    names = [write_budget_split(store, split, budget) for split in splits]
    pseudo = PseudoLabels(*model, store, names[0]) if model else None
    folds = [_fold(store, name) for name in names]
    rows = sorted({row for fold in folds for part in fold.values() for row in part})
    for row in rows:
        _write_case(store, row, folder, _name(store, row), store.infection(row))
    parts = [{p: [_name(store, row) for row in its] for p, its in fold.items()} for fold in folds]
    about: dict[str, Any] = dict(
        channel_names={'0': 'windowed CT'},
        labels=dict(background=0, infection=INFECTION),
        numTraining=len(rows),
        file_ending=ENDING,
    )
    if model and pseudo:
        added, has_ignored = _write_pseudo_cases(store, folder, pseudo)
        parts[0]['train'] += added
        about['numTraining'] += len(added)
        about['labels'] |= dict(ignore=IGNORE) if has_ignored else {}
        about['pseudo_labels'] = dict(
            config=Path(model[0]).name,
            checkpoint_sha256=file_sha256(model[1]),
            threshold=THRESHOLD,
            cases=added,
        )
    write_text(folder / 'dataset.json', json.dumps(about, indent=1))
    write_text(folder / 'splits_final.json', json.dumps(parts, indent=1))
    return about['numTraining']


def _check_wishes(folder: Path, splits: Sequence[str], model: tuple[str, str] | None) -> None:
    """Refuse a folder that is in use, and pseudo labels of one run for several folds."""
    if folder.is_dir() and any(folder.iterdir()):
        raise StoreError(f'{folder} is not empty', 'remove it, or give another --id')
    if model and len(splits) > 1:
        raise StoreError(
            f'pseudo labels of one run for {len(splits)} splits: patients whom it learned from '
            'are validated in others',
            'give its own --split alone, and a data set of its own for each run',
        )


def slice_affine(store: SliceStore, row: int) -> np.ndarray:
    """The 4x4 of a slice stored as (X, Y, 1), voxel to mm.

    Slices of a volume lie where they lay in the patient. Other slices are stacked at 1 mm, or at
    their spacing where it is known, in the upright directions: left, back, up.
    """
    from xaicovid_mm.data_prep.orientation import straight
    from xaicovid_mm.data_prep.store.geometry import to_source

    case, entry = store.case_of(row), store.index[row]
    if case.affine is None:
        z, y, x = case.spacing_mm or (1.0, 1.0, 1.0)
        affine = np.diag([-x, -y, z, 1.0])  # mm go to the right and to the front
        affine[2, 3] = z * entry['slice']
        return affine
    to_plane_y_x = np.eye(4)[[2, 1, 0, 3]]
    to_plane_y_x[0, 3] = entry['plane']
    affine = np.array(case.affine) @ to_source(case) @ to_plane_y_x
    return straight(affine, (*store.size[::-1], 1))


def _fold(store: SliceStore, split: str) -> dict[str, list[int]]:
    """Rows to train on and to validate, with a known infection."""
    fold = {
        part: _known(store, store.rows(split, role))
        for part, role in (('train', 'labelled'), ('val', 'val'))
    }
    for part, rows in fold.items():
        if not rows:
            raise StoreError(
                f'{store.root}: split {split!r} has no {part} slices with a mask',
                'choose another --split',
            )
    return fold


def _write_pseudo_cases(
    store: SliceStore, folder: Path, labels: Iterable[tuple[int, np.ndarray]]
) -> tuple[list[str], bool]:
    """Write slices with pseudo labels; return their names, and whether pixels are ignored."""
    from pseudo_labels import IGNORE

    names, ignored = [], False
    for row, mask in labels:
        names.append(f'{_name(store, row)}_pseudo')
        ignored |= bool((mask == IGNORE).any())
        _write_case(store, row, folder, names[-1], mask)
    return names, ignored


def _write_case(
    store: SliceStore, row: int, folder: Path, name: str, mask: np.ndarray | None
) -> None:
    import nibabel as nib

    assert mask is not None, row
    lung = store.lung(row)
    image = store.display(row) if lung is None else store.display(row) * lung
    affine = slice_affine(store, row)
    for part, array, kind in (
        (f'imagesTr/{name}_0000', image, np.float32),
        (f'labelsTr/{name}', mask, np.uint8),
    ):
        path = folder / f'{part}{ENDING}'
        path.parent.mkdir(parents=True, exist_ok=True)
        file = nib.Nifti1Image(array.astype(kind).T[..., None], affine)
        file.set_qform(affine, code='scanner')
        file.set_sform(affine, code='scanner')
        file.header.set_xyzt_units('mm')
        write_bytes(path, gzip.compress(file.to_bytes(), mtime=0))


def _known(store: SliceStore, rows: np.ndarray) -> list[int]:
    """The rows whose infection is known."""
    return rows[store.index['infection'][rows] != UNKNOWN].tolist()


def _name(store: SliceStore, row: int) -> str:
    """Name of a nnU-Net case: unique by the row of the index, and readable."""
    case = re.sub(r'[^A-Za-z0-9-]+', '-', store.case_of(row).name)
    return f'{row:06d}_{case}'


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('store', type=Path, help='slice store')
    parser.add_argument('raw', type=Path, help='nnUNet_raw')
    parser.add_argument('--id', type=at_least_1, required=True, help='number of the data set')
    parser.add_argument('--name', default='CTSlices')
    parser.add_argument('--split', nargs='+', required=True, help='splits, a fold each')
    parser.add_argument(
        '--budget', type=at_least_1, metavar='N', help='annotated slices; default: all'
    )
    parser.add_argument(
        '--pseudo-labels',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='of a run on the split: its labels of unlabelled slices become training cases',
    )
    return parser


if __name__ == '__main__':
    main()
