"""Numbers on the command line have a range, and what lies outside is refused before any work."""

import argparse
import ast
from pathlib import Path

import pytest

from xaicovid_mm.cli.parser import above_0, at_least_0, at_least_1, finite, share

HERE = Path(__file__).parents[2]
FILES = [*(HERE / 'xaicovid_mm/cli').rglob('*.py'), *(HERE / 'tools').rglob('*.py')]
FREE = {'--add-hu', '--local_rank', '-values'}
"""Options that take any whole number."""
TIMING = {'benchmark_data.py', 'benchmark_infer.py', 'benchmark_train.py', 'explain_bench.py'}
TIMING |= {'gpu_check.py', 'lung_dice.py'}
"""Tools for measurements, not for users."""


@pytest.mark.parametrize(
    'read, good, bad',
    [
        (at_least_1, '1', ['0', '-1', '1.5', 'x', '']),
        (at_least_0, '0', ['-1', '0.5', 'x']),
        (above_0, '0.5', ['0', '-1', 'nan', 'inf', 'x']),
        (share, '1', ['-0.1', '1.1', 'nan', 'x']),
        (finite, '-2', ['nan', 'inf', 'x']),
    ],
)
def test_a_number_outside_of_its_range_is_quoted(read, good, bad):
    assert read(good) == float(good)
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f"^'{text}' "):
            read(text)


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_no_option_takes_a_bare_number(path):
    """``int`` and ``float`` let 0 processes and nan through, and these fail late."""
    for call in ast.walk(ast.parse(path.read_text())):
        kinds = [k.value for k in getattr(call, 'keywords', []) if k.arg == 'type']
        if path.name not in TIMING and kinds and ast.unparse(kinds[0]) in ('int', 'float'):
            assert any(name in ast.unparse(call.args[0]) for name in FREE), ast.unparse(call)
