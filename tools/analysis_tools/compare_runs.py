r"""Compare two systems, tested on the same patients, over one or more seeds each.

python tools/analysis_tools/compare_runs.py \
    --a semi_0/test_val semi_1/test_val --b supervised_0/test_val supervised_1/test_val
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.paths import output_file
from xaicovid_mm.utils.errors import user_errors


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _compare(args)


def _compare(args: argparse.Namespace) -> None:
    from xaicovid_mm.evaluation.comparison import compare, comparison_table, read_test_rows
    from xaicovid_mm.utils.files import write_text
    from xaicovid_mm.utils.terminal import Console

    if args.out:
        output_file(args.out)
    a, b = ([read_test_rows(folder) for folder in system] for system in (args.a, args.b))
    scores = compare(a, b)
    Console(width=120).print(comparison_table(scores, *args.names))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(args.out, json.dumps(scores, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    for system in 'ab':
        parser.add_argument(
            f'--{system}',
            nargs='+',
            required=True,
            help='folders that tools/test.py wrote, one per seed',
        )
    parser.add_argument(
        '--names', nargs=2, default=['a', 'b'], help='names of the two in the table'
    )
    parser.add_argument('--out', type=Path, help='JSON file for the table')
    return parser


if __name__ == '__main__':
    main()
