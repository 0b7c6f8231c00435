"""Write model-index.yml and the metafiles of the configs from reports of tools/reproduce.py.

python tools/misc/model_index.py report_phantom/report.json report_real/report.json
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.reproduction.model_index import write_model_index
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.terminal import Console

PROJECT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        reports = [_read(path) for path in args.reports]
        for path in write_model_index(reports, args.project):
            Console().print(str(path))


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is no JSON ({error}): run tools/reproduce.py again') from error


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('reports', nargs='+', type=Path, help='report.json of tools/reproduce.py')
    parser.add_argument('--project', type=Path, default=PROJECT, help='folder with configs')
    return parser


if __name__ == '__main__':
    main()
