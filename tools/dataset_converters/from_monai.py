r"""Convert a datalist of MONAI, or the dataset.json of a Decathlon set, to a case table.

  {"training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz", "fold": 0}, ...],
   "unlabeled": ["more/c.nii.gz", ...], "test": ["imagesTs/b.nii.gz", ...],
   "labels": {"0": "background", ...}}

Paths are relative to the file, or to --root, and must not lead out of it. An image without label
is a case without masks. Section and fold stay in columns of their names, which prepare_data
ignores: make the split with `prepare_data.py split --file`.

  python tools/dataset_converters/from_monai.py datalist.json data/mine --infection infection \
      --lung lung infection
  python tools/prepare_data.py volumes data/mine/cases.csv data/mine/store \
      --infection-values 2 --lung-values 1 2
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common import show
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

REMEDY = 'give a JSON file with lists of {"image": ..., "label": ...}'
ENDINGS = ('.nii', '.nii.gz')
Entry = tuple[str, Path, Path | None, str]
"""Section, image, label map and fold."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = label_map_parser(__doc__, 'datalist', 'JSON file')
    parser.add_argument('--root', type=Path, help='paths start here; default: beside the file')
    args = parser.parse_args(argv)
    with user_errors():
        show(convert(args.datalist, args.out, wanted_labels(args), facts_of(args), args.root))


def convert(
    datalist: Path,
    out: Path,
    wanted: dict[str, list[str]],
    facts: Facts = NOTHING_MORE,
    root: Path | None = None,
) -> list[str]:
    """Write ``cases.csv``.

    Args:
        datalist: JSON file.
        out: Folder of the table.
        wanted: Labels by 'infection' and 'lung', by name or number; without any there is no such
            mask.
        facts: What the datalist does not say.
        root: Folder that paths start from and stay in; default: that of the datalist.

    Returns:
        The lines of a summary.

    Raises:
        DataError: If the datalist holds no JSON object.
        TableError: If the datalist is none, lists an image twice, names a file that is not there
            or lies outside, or has no such label.
        ScanError: If a label map has a value that the datalist does not explain.
    """
    content = read_json(datalist, REMEDY)
    labels = _labels(content, datalist)
    values = mask_values(labels, wanted, datalist)
    entries = [*_entries(content, datalist, root or datalist.parent)]
    masks = [mask for _, _, mask, _ in entries if mask]
    if labels and values:
        check_values(masks, labels, datalist)
    rows: list[Row] = []
    for case, (section, image, mask, fold) in _named(entries, datalist).items():
        files = dict.fromkeys(values, mask or '')
        rows.append(facts.row(case, image) | files | dict(section=section, fold=fold))
    lines = finish(rows, out, values)
    if masks and not values:
        lines.append(no_masks(labels))
    return lines


def _labels(content: dict[str, Any], path: Path) -> dict[str, list[int]] | None:
    """Values by name; None if there are none. Decathlon has names by value."""
    labels = content.get('labels')
    if not isinstance(labels, dict):
        return None
    turned = {n: v for v, n in labels.items()} if all(map(str.isdecimal, labels)) else labels
    try:
        return {str(name): [int(value)] for name, value in turned.items()}
    except (TypeError, ValueError) as error:
        raise TableError(f'{path}: labels {labels} are no whole numbers', REMEDY) from error


def _entries(content: dict[str, Any], path: Path, root: Path) -> Iterator[Entry]:
    """The images of all sections.

    Raises:
        TableError: If there is none, one is listed twice, or a path is wrong.
    """
    first: dict[Path, str] = {}
    for section, listed in content.items():
        if not isinstance(listed, list) or not _is_section(section, listed):
            continue
        for number, item in enumerate(listed):
            where = f'{path}, {section}[{number}]'
            item = item if isinstance(item, dict) else dict(image=item)
            image = file_inside(root, _one(item.get('image'), where), where)
            if image in first:
                raise TableError(f'{where} lists {image} again, after {first[image]}', 'take one')
            first[image] = where
            label = _one(item.get('label'), where)
            mask = None if label in (None, '') else file_inside(root, label, where)
            yield section, image, mask, str(item.get('fold', ''))
    if not first:
        raise TableError(f'{path} lists no image', REMEDY)


def _is_section(name: str, listed: list[Any]) -> bool:
    """Whether a list holds images, as entries or as plain paths; a test section always does."""
    return name in ('test', 'testing') or any(
        'image' in item if isinstance(item, dict) else str(item).lower().endswith(ENDINGS)
        for item in listed
    )


def _one(given: Any, where: str) -> Any:
    """The one file of an entry that may be a list.

    Raises:
        TableError: If there are several.
    """
    if not isinstance(given, list):
        return given
    if len(given) != 1:
        raise TableError(f'{where}: {len(given)} files for one scan', 'give one channel')
    return given[0]


def _named(entries: Sequence[Entry], path: Path) -> dict[str, Entry]:
    """Entries by case: the name of the file, or of all its folders if two files have one name."""
    names = [re.sub(r'(\.nii)?(\.gz)?$', '', image.name) for _, image, _, _ in entries]
    if len(set(names)) < len(names):
        shared = Path(*_shared([image.parts for _, image, _, _ in entries]))
        parts = [image.relative_to(shared).parts for _, image, _, _ in entries]
        names = [re.sub(r'(\.nii)?(\.gz)?$', '', '_'.join(p)) for p in parts]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise TableError(f'{path}: several scans would be the cases {twice}', 'rename the files')
    return dict(zip(names, entries, strict=True))


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders in which all files lie."""
    shortest = min(len(parts) for parts in paths) - 1
    same = next((n for n in range(shortest) if len({parts[n] for parts in paths}) > 1), shortest)
    return paths[0][:same]


if __name__ == '__main__':
    main()
