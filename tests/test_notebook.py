"""The notebook runs from top to bottom."""

import os
import re

import nbformat
import pytest

nbclient = pytest.importorskip('nbclient')


def test_the_tour_runs_and_ends_with_a_report(monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    tour = nbformat.read('demo/tour.ipynb', as_version=4)
    stored = [cell['outputs'] for cell in tour.cells if cell['cell_type'] == 'code']
    assert all(stored) and not re.search(r'/(tmp|home|root|work)/', str(stored))

    nbclient.NotebookClient(
        tour, timeout=300, resources=dict(metadata=dict(path=os.getcwd()))
    ).execute()

    last = tour.cells[-1].outputs[0]['data']['text/plain']
    assert "'report.html'" in last and "'infection.nii.gz'" in last
    pictures = [out for cell in tour.cells for out in cell.get('outputs', []) if 'data' in out]
    assert any('image/png' in out['data'] for out in pictures)
