r"""Convert a BIDS-like folder to a case table.

  sub-01/[ses-a/]ct/sub-01[_ses-a]_ct.nii.gz         or anat/ instead of ct/
  derivatives/NAME/sub-01/[ses-a/]ct/sub-01[_ses-a]_label-infection_mask.nii.gz
  participants.tsv                                   participant_id, and site if it is there

A mask belongs to the scan of the same folder names and entities; space, res, den, label and desc
may be added. Which masks are meant is said by the end of their names. sub-01 is the patient, with
all sessions and runs.

  python tools/dataset_converters/from_bids.py FOLDER data/mine \
      --infection label-infection_mask --lung desc-lungs_dseg --class-column diagnosis
  python tools/prepare_data.py volumes data/mine/cases.csv data/mine/store --lung-values 1 2
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from common import need_folder, show
from layouts import MASKS, NOTHING_MORE, Facts, Row, finish, layout_parser

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.data_prep.identifiers import identifier
from xaicovid_mm.data_prep.table_file import table_lines
from xaicovid_mm.utils.errors import ScanError, TableError, user_errors

ENDINGS = ('.nii.gz', '.nii')
ADDED = {'space', 'res', 'den', 'label', 'desc'}
"""Entities that a mask has and its scan has not."""
UNKNOWN = ('', 'n/a')
"""What participants.tsv says of a value that nobody knows."""
Entities = frozenset[tuple[str, str]]


def main(argv: Sequence[str] | None = None) -> None:
    parser = layout_parser(__doc__, 'folder', 'holds sub-*/')
    for column in MASKS:
        parser.add_argument(
            f'--{column}', metavar='END', help=f'end of the name of {column} masks, without .nii.gz'
        )
    parser.add_argument(
        '--derivatives', type=Path, help='where masks are; default: FOLDER/derivatives'
    )
    parser.add_argument('--class-column', metavar='NAME', help='of participants.tsv')
    args = parser.parse_args(argv)
    ends = {column: end for column in MASKS if (end := getattr(args, column))}
    with user_errors():
        facts = Facts(args.label, args.site)
        show(convert(args.folder, args.out, ends, facts, args.derivatives, args.class_column))


def convert(
    folder: Path,
    out: Path,
    ends: Mapping[str, str],
    facts: Facts = NOTHING_MORE,
    derivatives: Path | None = None,
    class_column: str | None = None,
) -> list[str]:
    """Write ``cases.csv``.

    Args:
        folder: Holds ``sub-*/``.
        out: Folder of the table.
        ends: End of the names of masks, by 'infection' and 'lung'.
        facts: What the folder does not say.
        derivatives: Where masks are; default: in the folder of this name.
        class_column: Column of participants.tsv with the class.

    Returns:
        The lines of a summary.

    Raises:
        ScanError: If there is no scan, a name does not go with its folder, a scan has two masks of
            a kind, or no scan has one.
        TableError: If participants.tsv lacks the column or has a class that does not exist.
    """
    scans = _scans(folder)
    people = _participants(folder, class_column)
    columns, spare = {}, []
    for column, end in ends.items():
        masks = _masks(derivatives or folder / 'derivatives', end)
        columns[column] = {key: path for key, path in masks.items() if key in scans}
        if not columns[column]:
            raise ScanError(f'no scan of {folder} has a mask *_{end}.nii.gz', 'correct the end')
        spare += [path.name for key, path in masks.items() if key not in scans]
    rows: list[Row] = []
    for key, path in scans.items():
        name = dict(key)['sub']
        row = facts.row(_stem(path).removesuffix('_ct'), path) | dict(patient=f'sub-{name}')
        row |= {column: masks.get(key, '') for column, masks in columns.items()}
        rows.append(row | people.get(f'sub-{name}', {}))
    lines = finish(rows, out, {})
    if spare:
        lines.append(f'left out: {len(spare)} masks of no scan, such as {spare[0]}')
    if people and (missing := {row['patient'] for row in rows} - people.keys()):
        lines.append(f'beware: participants.tsv has no {", ".join(sorted(missing))}')
    return lines


def _scans(folder: Path) -> dict[Entities, Path]:
    """CT scans by their entities, sorted by path."""
    found = [
        path
        for subject in sorted(need_folder(folder, 'give a folder with sub-*/').glob('sub-*'))
        for pattern in ('*/*', '*/*/*')
        for path in sorted(subject.glob(pattern))
        if path.name.endswith(tuple(f'_ct{end}' for end in ENDINGS))
        and path.parent.name in ('ct', 'anat')
    ]
    if not found:
        raise ScanError(f'{folder} holds no sub-*/[ses-*/]ct/*_ct.nii.gz', 'correct the folder')
    return _by_entities(found, 'two scans have the same name', 'keep one of them')


def _masks(folder: Path, end: str) -> dict[Entities, Path]:
    """Masks by the entities of their scan."""
    need_folder(folder, 'name the folder of the masks by --derivatives')
    ends = tuple(f'_{end}{e}' for e in ENDINGS)
    found = [path for path in sorted(folder.rglob('sub-*')) if path.name.endswith(ends)]
    return _by_entities(found, 'one scan has two masks', 'name one pipeline by --derivatives')


def _by_entities(paths: Sequence[Path], fault: str, remedy: str) -> dict[Entities, Path]:
    files: dict[Entities, Path] = {}
    for path in paths:
        key = _entities(path)
        if key in files:
            raise ScanError(f'{files[key]} and {path}: {fault}', remedy)
        files[key] = path
    return files


def _entities(path: Path) -> Entities:
    """Entities of a scan, or of the scan of a mask.

    Raises:
        ScanError: If the name says another subject or session than its folders.
    """
    pairs = [part.split('-', 1) for part in _stem(path).split('_') if '-' in part]
    entities = {key: value for key, value in pairs if key not in ADDED}
    for key in ('sub', 'ses'):
        folders = reversed(path.parts[:-1])
        named = next((p.split('-', 1)[1] for p in folders if p.startswith(f'{key}-')), None)
        if named != entities.get(key):
            raise ScanError(
                f'{path} says {key}-{entities.get(key, "")}, its folder does not',
                'rename one: in BIDS they are the same',
            )
    return frozenset(entities.items())


def _stem(path: Path) -> str:
    return path.name.removesuffix('.gz').removesuffix('.nii')


def _participants(folder: Path, class_column: str | None) -> dict[str, Row]:
    """Site and class by participant, as far as participants.tsv has them.

    Raises:
        TableError: If the file cannot be read, a column is missing, a line is short, a participant
            is listed twice, or a class does not exist.
    """
    path = folder / 'participants.tsv'
    if not path.is_file():
        if class_column:
            raise TableError(f'{path} is not there', 'leave out --class-column')
        return {}
    wanted = ['participant_id', *([class_column] if class_column else [])]
    lines = table_lines(path, ['participant_id', 'site'])
    header = [identifier(cell).casefold() for cell in (lines[0][1] if lines else [])]
    for column in wanted:
        if column.casefold() not in header:
            raise TableError(f'{path} has no column {column!r}, but {header}', 'correct the name')
    people: dict[str, Row] = {}
    for number, cells in lines[1:]:
        where = f'{path}, line {number}'
        if len(cells) < len(header):
            raise TableError(
                f'{where}: it has {len(cells)} fields, the header has {len(header)}',
                'write n/a in a field that is unknown',
            )
        line = dict(zip(header, map(identifier, cells), strict=False))
        name = line['participant_id']
        if name in people:
            raise TableError(f'{where}: {name} is listed twice', 'leave one line of each')
        people[name] = {}
        if line.get('site', '').casefold() not in UNKNOWN:
            people[name]['site'] = line['site']
        if class_column and (text := line[class_column.casefold()]).casefold() not in UNKNOWN:
            people[name]['label'] = _class(text, where)
    return people


def _class(text: str, where: str) -> str:
    from xaicovid_mm.data_prep.case_table import class_name

    name = class_name(text)
    if name not in CLASSES:
        raise TableError(
            f'{where}: class {text!r} is none of {CLASSES}',
            'leave out --class-column and fill in the label of cases.csv',
        )
    return name


if __name__ == '__main__':
    main()
