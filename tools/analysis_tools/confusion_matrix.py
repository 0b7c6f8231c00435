"""Count which class was taken for which, by slice and by patient, in a test of tools/test.py.

python tools/analysis_tools/confusion_matrix.py work_dirs/quick_semi_vgg/test_test --out matrix.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.paths import output_picture
from xaicovid_mm.utils.errors import user_errors

if TYPE_CHECKING:
    import numpy as np


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _count(args)


def _count(args: argparse.Namespace) -> None:
    import numpy as np
    from rich.table import Table

    from xaicovid_mm.evaluation.classification_scores import patient_probs
    from xaicovid_mm.evaluation.slice_scores import ROW_FILES, class_probs, read_rows
    from xaicovid_mm.utils.terminal import Console

    if args.out:
        output_picture(args.out)
    rows = read_rows(args.tested / ROW_FILES['cls'])
    if not rows:
        raise FileNotFoundError(
            f'{args.tested} has no {ROW_FILES["cls"]}: give the folder that tools/test.py wrote'
        )
    labels, probs = class_probs(rows)
    of_patients = patient_probs(labels, probs, [row['patient'] for row in rows], args.aggregation)
    matrices = {}
    for what, (true, scores) in (('slices', (labels, probs)), ('patients', of_patients)):
        matrix = np.zeros((len(CLASSES), len(CLASSES)), int)
        np.add.at(matrix, (true, scores.argmax(1)), 1)
        matrices[f'{what} (n = {len(true)})'] = matrix
    for title, matrix in matrices.items():
        table = Table('true', *(f'as {name}' for name in CLASSES), 'right', title=title)
        for name, line, share in zip(CLASSES, matrix, _right(matrix), strict=True):
            table.add_row(name, *map(str, line), share)
        Console().print(table)
    if args.out:
        _draw(matrices, args.out)


def _right(matrix: 'np.ndarray') -> list[str]:
    """Share of each class that is taken for what it is."""
    return [f'{line[k] / line.sum():.3f}' if line.sum() else 'n/a' for k, line in enumerate(matrix)]


def _draw(matrices: dict[str, 'np.ndarray'], path: Path) -> None:
    from matplotlib.figure import Figure

    from xaicovid_mm.visualization.save_figure import save_figure

    figure = Figure(figsize=(9, 4), layout='constrained')
    for axis, (title, matrix) in zip(figure.subplots(1, 2), matrices.items(), strict=True):
        shares = matrix / matrix.sum(1, keepdims=True).clip(1)
        image = axis.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        for (row, column), count in zip(_cells(matrix), matrix.flat, strict=True):
            colour = 'white' if shares[row, column] > 0.5 else 'black'
            axis.text(column, row, str(count), ha='center', va='center', color=colour)
        axis.set(title=title, xlabel='predicted', ylabel='true')
        for set_ticks in (axis.set_xticks, axis.set_yticks):
            set_ticks(range(len(CLASSES)), CLASSES)
    figure.colorbar(image, ax=figure.axes, label='share of the true class')
    save_figure(figure, path, dpi=130)


def _cells(matrix: 'np.ndarray') -> list[tuple[int, int]]:
    return [(row, column) for row in range(len(matrix)) for column in range(len(matrix))]


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/analysis_tools/confusion_matrix.py')
    parser.add_argument('tested', type=Path, help='folder that tools/test.py wrote')
    parser.add_argument(
        '--aggregation', default='mean', help='of slices to a patient; default: %(default)s'
    )
    parser.add_argument('--out', type=Path, help='PNG or PDF of the matrices')
    return parser


if __name__ == '__main__':
    main()
