"""The figure strip of Fig. 4."""

import re
import runpy

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from mmengine import Config

from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.trained_model import trained_model
from xaicovid_mm.evaluation.metrics.infection_metric import InfectionMetric
from xaicovid_mm.visualization.checkpoint_strips import draw_checkpoint_strips
from xaicovid_mm.visualization.explain_slices import explain_slices, largest_lesions
from xaicovid_mm.visualization.figure_strip import (
    COLOURS,
    COLUMNS,
    PANELS,
    draw_figure,
    draw_strip,
)

CONFIG = 'configs/quick/semi_vgg.py'


@pytest.fixture
def row():
    maps = {name: np.random.default_rng(0).random((16, 16)) for name in PANELS}
    predicted = np.eye(16) > 0
    shown = dict(image=np.eye(16), infection=np.eye(16), predicted=predicted, **maps)
    return dict(title='a\nslice 3', **shown)


def panels(figure):
    return [axis for axis in figure.axes if axis.get_label() != 'scale']


def test_a_strip_is_an_image_with_a_row_per_slice(row, tmp_path):
    draw_strip([row], tmp_path / 'new' / 'one.png')
    draw_strip([row] * 3, tmp_path / 'three.png')
    one, three = imread(tmp_path / 'new' / 'one.png'), imread(tmp_path / 'three.png')
    assert one.shape[1] == three.shape[1] and three.shape[0] > 2 * one.shape[0]


def test_a_row_has_a_titled_panel_for_everything(row):
    figure = draw_figure([row, row])
    assert len(panels(figure)) == 2 * len(COLUMNS) == 16
    assert tuple(axis.get_title() for axis in panels(figure)[:8]) == COLUMNS


def test_the_label_of_a_row_gives_its_dice(row):
    row['predicted'] &= np.arange(16) < 8  # half is found, nothing else
    assert panels(draw_figure([row]))[0].get_ylabel() == 'a\nslice 3\nDice 0.67'


def test_hits_misses_and_false_alarms_have_their_colours(row):
    row['predicted'], row['infection'] = np.zeros((2, 16, 16), bool)
    row['predicted'][0, :2], row['infection'][0, 1:3] = True, True
    painted = panels(draw_figure([row]))[-1].images[-1].get_array()
    assert [tuple(pixel[:3]) for pixel in painted[0, :3]] == [
        COLOURS[k] for k in ('FP', 'TP', 'FN')
    ]
    assert not painted[1:, :, 3].any()


def test_without_slices_there_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match='no slices to draw'):
        draw_strip([], tmp_path / 'strip.png')


def dataset(store, *roles):
    return SliceDataset(store, 'default', roles, [dict(type='PackCTInputs')])


def test_the_worst_slice_of_every_patient_comes_first(tiny_store):
    two = dataset(tiny_store, 'labelled')
    positions = largest_lesions(two, 6)
    patients = [two[i]['data_samples'].patient for i in positions]
    assert sorted(patients[:2]) == ['p20', 'p24'] and len(set(positions)) == 6
    assert all(two[i]['data_samples'].infection.any() for i in positions)


def test_slices_without_infection_cannot_be_explained(tiny_store):
    healthy = dataset(tiny_store, 'test')
    healthy.rows = healthy.rows[healthy.store.index['label'][healthy.rows] == 0]
    with pytest.raises(ValueError, match='none of the 4 slices has an infection mask'):
        largest_lesions(healthy, 2)


@pytest.fixture
def run(tiny_store, tmp_path, monkeypatch):
    """The config and the work dir of a run with one checkpoint."""
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'default')
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir, cfg.log_level = str(tmp_path), 'ERROR'
    runner = CTRunner.from_cfg(cfg)
    name = 'epoch_3.pth'
    runner.save_checkpoint(str(tmp_path), name, save_optimizer=False, save_param_scheduler=False)
    return cfg, tmp_path


def test_the_tool_draws_a_checkpoint(run):
    main = runpy.run_path('tools/analysis_tools/figure_strip.py')['main']
    picture = run[1] / 'x.png'
    main([CONFIG, str(run[1] / 'epoch_3.pth'), '--out', str(picture), '--num', '2'])
    assert picture.read_bytes()[:4] == b'\x89PNG'


def test_strips_of_checkpoints_have_the_names_of_case_and_slice(run, tmp_path):
    out = tmp_path / 'strips'
    names = [path.name for path in draw_checkpoint_strips(run[0], run[1], role='val', out=out)]
    assert sorted(names) == sorted(path.name for path in out.iterdir()) and len(names) == 2
    assert all(re.fullmatch(r'p2\d_\d\.png', name) for name in names)


@pytest.mark.parametrize('min_area', [0.0, 0.2])
def test_a_strip_shows_the_mask_that_is_tested(run, tiny_store, min_area):
    cfg, folder = run
    cfg.test_evaluator = [dict(type='InfectionMetric', min_area=min_area, threshold=0.4)]
    slices = dataset(tiny_store, 'labelled')
    model = trained_model(cfg, folder / 'epoch_3.pth')
    metric = InfectionMetric(min_area=min_area, threshold=0.4)
    items = [slices[position] for position in largest_lesions(slices, 4)]
    batch = dict(
        inputs=[item['inputs'] for item in items],
        data_samples=[item['data_samples'] for item in items],
    )
    with torch.no_grad():
        metric.process({}, [sample.to_dict() for sample in model.test_step(batch)])
    tested = [counts['tp'] + counts['fp'] for counts in metric.results]
    rows = explain_slices(model, cfg, slices, largest_lesions(slices, 4))
    assert [row['predicted'].sum() for row in rows] == tested
