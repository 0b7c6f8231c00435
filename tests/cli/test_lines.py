"""A line with a path is printed whole, so that it can be copied."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
FILES = sorted((HERE / 'xaicovid_mm/cli').rglob('*.py'))
FILES += [HERE / 'tools/demo/infer_scan.py']
FILES += [
    HERE / f'tools/analysis_tools/{n}.py' for n in ('vis_cam', 'figure_strip', 'browse_dataset')
]
WHERE = ('args.out', '{path}', '_report(', 'write_jobs(')
"""What stands in a line that has a path in it."""


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_no_line_with_a_path_is_broken_at_the_width_of_the_terminal(path):
    tree = ast.parse(path.read_text())
    soft = 'console = Console(soft_wrap=True' in path.read_text()
    for call in ast.walk(tree):
        line = ast.unparse(call) if isinstance(call, ast.Call) else ''
        printed = line.partition('(')[0] in ('Console', 'console.print') and '.print(' in line
        if printed and any(name in line for name in WHERE):
            assert soft or 'soft_wrap=True' in line, line
