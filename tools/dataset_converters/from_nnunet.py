r"""Convert a data set of nnU-Net v2 to a case table.

  dataset.json  imagesTr/CASE_0000.nii.gz  labelsTr/CASE.nii.gz  [imagesTs/CASE_0000.nii.gz]

Label maps stay as they are: the labels that you name become the values that prepare_data counts.
Several channels are refused, but for one that is called CT.

  python tools/dataset_converters/from_nnunet.py nnUNet_raw/Dataset115_COVID data/mine \
      --infection infection --lung lung infection --class COVID-19 --patient '(.+)_\d+'
  python tools/prepare_data.py volumes data/mine/cases.csv data/mine/store \
      --infection-values 2 --lung-values 1 2
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import check_pairs, files_by_name, need_folder, show
from label_maps import (
    check_values,
    facts_of,
    label_map_parser,
    mask_values,
    no_masks,
    wanted_labels,
)
from layouts import NOTHING_MORE, Facts, Row, file_inside, finish

from xaicovid_mm.utils.errors import TableError, user_errors
from xaicovid_mm.utils.files import read_json

ENDINGS = ('.nii.gz', '.nii')
REMEDY = 'give a folder DatasetNNN_NAME of nnUNet_raw; a Decathlon set goes to from_monai.py'


def main(argv: Sequence[str] | None = None) -> None:
    parser = label_map_parser(__doc__, 'folder', 'DatasetNNN_NAME')
    parser.add_argument('--with-test', action='store_true', help='list imagesTs as well, no masks')
    args = parser.parse_args(argv)
    with user_errors():
        show(convert(args.folder, args.out, wanted_labels(args), facts_of(args), args.with_test))


def convert(
    folder: Path,
    out: Path,
    wanted: dict[str, list[str]],
    facts: Facts = NOTHING_MORE,
    with_test: bool = False,
) -> list[str]:
    """Write ``cases.csv``.

    Args:
        folder: ``DatasetNNN_NAME``.
        out: Folder of the table.
        wanted: Labels by 'infection' and 'lung', by name or number; without any there is no such
            mask.
        facts: What the data set does not say.
        with_test: Whether scans of imagesTs are cases too.

    Returns:
        The lines of a summary.

    Raises:
        DataError: If dataset.json holds no JSON object.
        TableError: If dataset.json is not that of nnU-Net v2, names a file that is not there or
            lies outside, or has no such label.
        ScanError: If a folder, an image or a label map is missing, or a label map has a value that
            dataset.json does not explain.
    """
    about_path = folder / 'dataset.json'
    about = read_json(about_path, REMEDY)
    labels = _labels(about, about_path)
    values = mask_values(labels, wanted, about_path)
    end = _ending(about, about_path)
    train = _listed(about, folder) or _pairs(folder, end)
    if values:
        check_values((mask for _, mask in train.values()), labels, about_path)
    rows: list[Row] = []
    for case, (image, mask) in sorted(train.items()):
        rows.append(facts.row(case, image) | dict.fromkeys(values, mask))
    test = folder / 'imagesTs'
    if with_test:
        tested = files_by_name(need_folder(test, 'leave out --with-test'), end)
        rows += [facts.row(case, image) for case, image in tested.items()]
    lines = finish(rows, out, values)
    lines += _doubts(about, len(train))
    if not values:
        lines.append(no_masks(labels))
    if not with_test and (left := len([*test.glob(f'*{end}')])):
        lines.append(f'left out: {left} scans of imagesTs, see --with-test')
    return lines


def _doubts(about: dict[str, Any], cases: int) -> list[str]:
    """What dataset.json says of its cases and is not found."""
    lines, said = [], about.get('numTraining')
    if said is not None and said != cases:
        lines.append(f'warning: dataset.json says numTraining {said}, {cases} cases were found')
    if 'CT' not in {str(name).upper() for name in about['channel_names'].values()}:
        names = ', '.join(map(str, about['channel_names'].values()))
        lines.append(f'warning: the channel is called {names}, not CT: check that values are HU')
    return lines


def _labels(about: dict[str, Any], path: Path) -> dict[str, list[int]]:
    """Values by name; a region has several."""
    labels = about.get('labels')
    if not isinstance(labels, dict) or 'channel_names' not in about or 'file_ending' not in about:
        raise TableError(f'{path} lacks channel_names, labels or file_ending', REMEDY)
    lists = {name: v if isinstance(v, list) else [v] for name, v in labels.items()}
    if wrong := {n: v for n, v in lists.items() if any(type(k) is not int for k in v)}:
        raise TableError(f'{path}: labels {wrong} are no whole numbers', REMEDY)
    return lists


def _ending(about: dict[str, Any], path: Path) -> str:
    """What the name of an image has after the name of its case."""
    ending, channels = about['file_ending'], about['channel_names']
    if ending not in ENDINGS:
        raise TableError(
            f'{path}: file_ending {ending!r} is none of {ENDINGS}',
            'convert the files; pictures go to `prepare images` by a slice table',
        )
    if not isinstance(channels, dict) or not all(isinstance(n, str) for n in channels.values()):
        raise TableError(f'{path}: channel_names {channels} are no names by number', REMEDY)
    of_ct = [key for key, name in channels.items() if len(channels) == 1 or name.upper() == 'CT']
    if len(of_ct) != 1 or not of_ct[0].isdecimal():
        raise TableError(f'{path}: of the channels {channels} none alone is CT', 'give one channel')
    return f'_{int(of_ct[0]):04d}{ending}'


def _listed(about: dict[str, Any], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Image and label map by case, if dataset.json lists them itself."""
    listed, path = {}, folder / 'dataset.json'
    cases = about.get('dataset', {})
    if not isinstance(cases, dict):
        raise TableError(f'{path}: dataset is a {type(cases).__name__}, not an object', REMEDY)
    for case, files in cases.items():
        where = f'{path}, case {case}'
        if not isinstance(files, dict) or not isinstance(files.get('images'), list):
            raise TableError(
                f'{where}: {files} is none of {{"images": [...], "label": ...}}', REMEDY
            )
        if len(files['images']) != 1:
            raise TableError(f'{where}: {len(files["images"])} images', 'give one channel')
        image = file_inside(folder, files['images'][0], where)
        listed[case] = (image, file_inside(folder, files.get('label'), where))
    return listed


def _pairs(folder: Path, end: str) -> dict[str, tuple[Path, Path]]:
    """Image and label map by case, from imagesTr and labelsTr."""
    images = files_by_name(need_folder(folder / 'imagesTr', REMEDY), end)
    masks = files_by_name(need_folder(folder / 'labelsTr', REMEDY), end[5:])
    check_pairs(images, masks, folder / 'labelsTr', 'move images without label to imagesTs')
    check_pairs(masks, images, folder / 'imagesTr', f'each label map has an image CASE{end}')
    return {case: (images[case], masks[case]) for case in images}


if __name__ == '__main__':
    main()
