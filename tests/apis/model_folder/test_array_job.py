"""The array job of docs/how-to/infer.md, with two tasks on this machine and one of them killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / 'docs/how-to/infer.md'
TASKS, SCANS = 2, 8


@pytest.fixture
def task(served, scan, tmp_path):
    """Start a task of the documented job; it runs in a process group of its own."""
    (job,) = re.findall(r"--wrap '(.+?)'", DOCS.read_text(encoding='utf-8'), re.DOTALL)
    job = job.replace('NR % 100', f'NR % {TASKS}').replace('models/quick', str(served))
    paths = [tmp_path / f'scan{k}.nii.gz' for k in range(SCANS)]
    for path in paths:
        shutil.copy(scan, path)
    (tmp_path / 'scans.txt').write_text(''.join(f'{path}\n' for path in paths))

    def start(number):
        settings = dict(SLURM_ARRAY_TASK_ID=str(number), CUDA_VISIBLE_DEVICES='')
        settings['PATH'] = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
        return subprocess.Popen(
            ['bash', '-c', job], cwd=tmp_path, env=os.environ | settings, start_new_session=True
        )

    return start


def predictions(folder):
    found = folder.glob('*/prediction.json')  # finds hidden folders, too
    return {path.parent.name: path for path in found if not path.parent.name.startswith('.')}


def test_a_killed_task_that_is_started_again_loses_nothing_and_does_nothing_twice(task, tmp_path):
    results = tmp_path / 'results'
    killed, other = task(0), task(1)
    end = time.monotonic() + 120
    while not predictions(results / '0') and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL and other.wait(120) == 0
    whole = {path: path.stat().st_mtime_ns for path in predictions(results / '0').values()}
    assert 0 < len(whole) < SCANS // TASKS
    assert task(0).wait(120) == 0
    of_task = [set(predictions(results / str(number))) for number in range(TASKS)]
    assert of_task[0] | of_task[1] == {f'scan{k}' for k in range(SCANS)}
    assert not of_task[0] & of_task[1]
    assert all(path.stat().st_mtime_ns == before for path, before in whole.items())
    for number in range(TASKS):
        cohort = json.loads((results / str(number) / 'cohort.json').read_text())
        assert {case['case'] for case in cohort} == of_task[number]
    assert not list(results.rglob('.partial.*'))
