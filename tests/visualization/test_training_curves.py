"""The picture of a run: every point that was logged, and axes that can be read."""

import json
import math

import cv2
import pytest
from matplotlib.figure import Figure

from xaicovid_mm.reproduction.training_log import training_curves
from xaicovid_mm.visualization.training_curves import draw_training_curves

LOSS, SCORE = 'loss_s', 'seg/dice_slice_mean'


@pytest.fixture
def logged(tmp_path):
    rows = [
        dict(loss=1.0, loss_s=3.0, lr=0.1, epoch=1, iter=10, step=10),
        dict(loss=3.0, loss_s=5.0, lr=0.1, epoch=1, iter=20, step=20),
        {SCORE: 0.5, 'time': 1.0, 'step': 1},
        dict(loss=2.0, loss_s=1.0, loss_u=9.0, lr=0.1, epoch=2, iter=30, step=30),
        {SCORE: 0.6, 'step': 2},
    ]
    again = [dict(loss=4.0, loss_s=2.0, lr=0.1, epoch=2, iter=30, step=30)]  # a resumed run
    for name, lines in (('a', rows), ('b', again)):
        path = tmp_path / name / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + '{"loss": 1')
    return tmp_path


def test_losses_are_means_of_an_epoch_and_the_last_run_counts(logged):
    losses, metrics = training_curves(logged)
    assert losses == {'loss': [(1, 2.0), (2, 4.0)], 'loss_s': [(1, 4.0), (2, 2.0)]}
    assert metrics == {SCORE: [(1, 0.5), (2, 0.6)]}


def test_a_loss_that_starts_late_has_a_gap_before(tmp_path, logged):
    (logged / 'b' / 'vis_data' / 'scalars.json').unlink()
    points = training_curves(logged)[0]['loss_u']
    assert math.isnan(points[0][1]) and points[1] == (2, 9.0)


def test_the_picture_has_labelled_axes_whole_epochs_and_legends_outside(logged, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    draw_training_curves(logged / 'c.png', *training_curves(logged), 'phantom patients')
    assert cv2.imread(str(logged / 'c.png')).shape[1] > 1000
    left, right = figures[0].axes
    assert right.get_title() == 'validation phantom patients'
    for axis in (left, right):
        assert axis.get_xlabel() == 'epoch' and axis.get_ylabel()
        assert all(float(tick).is_integer() for tick in axis.get_xticks())
        box = axis.get_legend().get_window_extent().transformed(axis.transAxes.inverted())
        assert box.x0 >= 1


def test_the_picture_of_a_run_that_logged_nothing_says_so(tmp_path, monkeypatch):
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    draw_training_curves(tmp_path / 'c.png', *training_curves(tmp_path))
    for axis in figures[0].axes:
        assert [text.get_text() for text in axis.texts] == ['nothing was logged']
