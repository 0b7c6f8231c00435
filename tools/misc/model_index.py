"""Write model-index.yml and the metafiles of the configs from reports of tools/reproduce.py.

python tools/misc/model_index.py report_phantom/report.json report_real/report.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.reproduction.model_index import write_model_index
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import read_json
from xaicovid_mm.utils.terminal import Console

PROJECT = Path(__file__).resolve().parents[2]
REMEDY = 'give the report.json of tools/reproduce.py'


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        reports = [read_json(path, REMEDY) for path in args.reports]
        for path, report in zip(args.reports, reports, strict=True):
            if 'systems' not in report:
                raise ValueError(f'{path} has no systems: {REMEDY}')
        for path in write_model_index(reports, args.project):
            Console().print(str(path))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('reports', nargs='+', type=Path, help='report.json of tools/reproduce.py')
    parser.add_argument('--project', type=Path, default=PROJECT, help='folder with configs')
    return parser


if __name__ == '__main__':
    main()
