"""Every tool says at once what it is for, by an example, and what its options are by default."""

import argparse
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from xaicovid_mm.cli.parser import CommandParser, at_least_1

TOOLS = sorted(
    path.as_posix()
    for path in Path('tools').rglob('*.py')
    if "if __name__ == '__main__'" in path.read_text(encoding='utf-8')
)
SLOW = (
    *('torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'captum', 'timm', 'monai'),
    *('scipy', 'sklearn', 'pandas', 'matplotlib', 'nibabel', 'SimpleITK', 'cv2'),
)
"""Packages that no help needs. Together they take seconds to import."""


@pytest.mark.parametrize('tool', TOOLS)
def test_help_shows_an_example(tool, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(tool).parent))
    monkeypatch.setattr(sys, 'argv', [tool, '--help'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(tool, run_name='__main__')
    shown = ' '.join(capsys.readouterr().out.split())
    assert stop.value.code == 0 and shown.startswith('usage: ')
    assert re.search(rf'python {tool} ', shown.replace('\\ ', ''))


def test_the_default_of_each_option_is_said_once():
    parser = CommandParser('What.')
    parser.add_argument('--size', type=int, default=224, help='H = W')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', default='a', help='file; default: beside it')
    parser.add_argument('--force', action='store_true', help='replace')
    shown = parser.format_help()
    assert 'H = W; default: 224' in shown and 'default: 0' in shown
    assert shown.count('default') == 3


def test_no_help_imports_anything_that_is_slow():
    code = f"""
import contextlib, io, json, runpy, sys
from pathlib import Path
found, before, path = {{}}, set(), sys.path
for tool in {TOOLS!r}:
    sys.path = [str(Path(tool).parent), *path]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        sys.argv = [tool, '--help']
        runpy.run_path(tool, run_name='__main__')
    slow = {{name for name in {SLOW!r} if name in sys.modules}}
    found[tool], before = sorted(slow - before), slow
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {tool: [] for tool in TOOLS}


def test_a_whole_number_of_1_or_more_is_asked_for():
    assert at_least_1('12') == 12
    for text in ('0', '-3', 'abc', '1.5', ''):
        with pytest.raises(argparse.ArgumentTypeError, match=re.escape(repr(text))):
            at_least_1(text)
