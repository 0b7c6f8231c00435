"""Plant shortcuts in phantoms, train on them, and see which maps and which scores notice.

python tools/analysis_tools/explain_bench.py work_dirs/bench --epochs 6

A run that was interrupted goes on where it stopped when the same command is given again.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explain_bench_utils.names import NONE, PHANTOMS, UNFILLED

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text
from xaicovid_mm.utils.terminal import Console

if TYPE_CHECKING:  # slow to import
    from explain_bench_utils.scoring import Bench

SYSTEMS = {
    'recommended': 'configs/quick/recommended_semi.py',
    'paper': 'configs/quick/semi_vgg.py',
}
PAGE = 'results/maps.md'
"""Below the folder of the bench, as in docs/; the pictures are in ``images``."""
PICTURED = 3
"""Slices in a picture."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _check_settings(args)
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from explain_bench_utils.page import write_page

    results: dict[str, dict] = {}
    for phantom in args.phantoms:
        for system in args.systems:
            Console().print(f'{phantom}, {system}')
            results[f'{phantom}/{system}'] = _result(args, phantom, system)
            write_text(args.out / 'bench.json', json.dumps(results, indent=1))
            write_page(args.out / PAGE, results, _how(args))
    Console().print(str(args.out / PAGE))


def _check_settings(args: argparse.Namespace) -> None:
    """Refuse a folder whose runs were made with other settings."""
    path = args.out / 'settings.json'
    names = ('epochs', 'patients_per_class', 'size', 'slices', 'seed', 'cfg_options')
    given = json.loads(json.dumps({name: getattr(args, name) for name in names}))
    if not path.is_file():
        args.out.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(given, indent=1))
        return
    made = json.loads(path.read_text(encoding='utf-8'))
    if other := [name for name in names if made[name] != given[name]]:
        raise ValueError(
            f'{args.out} was made with { ({name: made[name] for name in other}) }, not '
            f'{ ({name: given[name] for name in other}) }: give another folder or the same settings'
        )


def _result(args: argparse.Namespace, phantom: str, system: str) -> dict:
    from explain_bench_utils.page import draw
    from explain_bench_utils.phantoms import make_phantom
    from explain_bench_utils.scoring import Bench
    from explain_bench_utils.training import trained

    done = args.out / phantom / f'{system}.json'
    if done.is_file():
        return json.loads(done.read_text(encoding='utf-8'))
    settings = dict(patients=args.patients_per_class, size=args.size, seed=args.seed)
    clean, folder = (make_phantom(args.out, name, **settings) for name in (NONE, phantom))
    filled = phantom not in UNFILLED
    options = dict(args.cfg_options or {}) | {'randomness.seed': args.seed}
    if not filled:
        parts = ('train_dataloader', 'val_dataloader', 'test_dataloader')
        options |= {f'{part}.dataset.lung_fill': False for part in parts}
    work_dir = folder / system
    model = trained(SYSTEMS[system], folder, work_dir, options=options, epochs=args.epochs)
    bench = Bench(model, folder, clean, filled)
    picture = f'images/maps_{phantom}_{system}.png'
    draw(args.out / picture, bench, bench.slices(PICTURED))
    result = bench.scores(args.slices) | dict(picture=picture)
    if phantom == NONE:
        result['table'] |= _other_networks(args, system, folder, bench, options)
    write_text(done, json.dumps(result, indent=1))
    return result


def _other_networks(
    args: argparse.Namespace, system: str, folder: Path, bench: 'Bench', options: dict[str, Any]
) -> dict[str, dict]:
    """How far the maps are those of a network of another seed, and of one without classes."""
    from explain_bench_utils.phantoms import shuffle_classes
    from explain_bench_utils.training import trained

    shuffled = shuffle_classes(folder, size=args.size, seed=args.seed)
    another = options | {'randomness.seed': args.seed + 1}
    table: dict[str, dict] = {}
    for score, data, chosen in (
        ('seed_rank_correlation', folder, another),
        ('label_rank_correlation', shuffled, options),
    ):
        work_dir = folder / f'{system}_{score.partition("_")[0]}'
        model = trained(SYSTEMS[system], data, work_dir, options=chosen, epochs=args.epochs)
        table |= bench.agreement(model, args.slices, score)
    return table


def _how(args: argparse.Namespace) -> str:
    from xaicovid_mm.reproduction.fingerprint import commit_of

    command = f'python tools/analysis_tools/explain_bench.py {" ".join(sys.argv[1:])}'
    lines = textwrap.wrap(command, 100, break_long_words=False, break_on_hyphens=False)
    commit = commit_of(Path(__file__).parent) or 'a working tree with changes'
    return (
        'Command:\n\n```bash\n' + ' \\\n    '.join(lines) + '\n```\n\n'
        f'Epochs: {args.epochs or "as in the configs"}. {args.patients_per_class} patients of each '
        f'class, slices of {args.size} px, seed {args.seed}. Commit: {commit}.'
    )


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('out', type=Path, help='folder for phantoms, runs and results')
    parser.add_argument('--phantoms', nargs='+', choices=PHANTOMS, default=list(PHANTOMS))
    parser.add_argument('--systems', nargs='+', choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument('--epochs', type=int, help="of a training; default: the configs'")
    parser.add_argument('--patients-per-class', type=int, default=18)
    parser.add_argument('--size', type=int, default=96, help='side of the slices in pixels')
    parser.add_argument('--slices', type=int, default=24, help='slices that are explained')
    parser.add_argument('--seed', type=int, default=0)
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
