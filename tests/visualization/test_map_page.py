"""The page of slices with their maps and what these score."""

import runpy

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from mmengine import Config
from mmengine.registry import init_default_scope

from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.evaluation.explanation.localisation import localisation_scores
from xaicovid_mm.registry import MODELS
from xaicovid_mm.visualization.explain_slices import drawn_slices
from xaicovid_mm.visualization.map_page import draw_map_page, mean_scores, scored_maps

CONFIG = 'configs/quick/semi_vgg.py'


@pytest.fixture
def dataset(tiny_store):
    return SliceDataset(tiny_store, 'default', ['labelled'], [dict(type='PackCTInputs')])


class NoNetwork:
    """Maps that need no network are enough here."""

    def data_preprocessor(self, batch):
        return dict(inputs=torch.stack(batch['inputs']).float())


def same_everywhere(value):
    return lambda model, images, labels: torch.full_like(images, value)


MAPS = {'blank': same_everywhere(1.0), 'broken': same_everywhere(float('nan'))}


def test_the_slices_hold_infection_and_one_of_every_patient_comes_first(dataset):
    chosen = drawn_slices(dataset, 100)
    index = dataset.store.index[dataset.rows]
    assert len(set(chosen)) == len(chosen) == (index['infection_px'] > 0).sum()
    patients = [dataset.store.cases[case].patient for case in index['case'][chosen]]
    assert sorted(patients[:2]) == ['p20', 'p24']
    assert drawn_slices(dataset, 2) == chosen[:2]


def test_each_map_has_its_scores_and_a_blank_one_those_of_chance(dataset):
    positions = drawn_slices(dataset, 2)
    rows = scored_maps(NoNetwork(), MAPS, dataset, positions)
    for row, position in zip(rows, positions, strict=True):
        item = dataset[position]
        truth = item['data_samples'].infection[0].numpy()[row['lung']] > 0
        brightness = item['inputs'][0].numpy()[row['lung']]
        assert row['scores']['intensity'] == localisation_scores(brightness, truth)
        assert row['scores']['blank']['auc'] == 0.5
        assert row['scores']['blank']['average_precision'] == pytest.approx(truth.mean())
        assert row['scores']['broken'] == {} and row['share'] == truth.mean()
    means = mean_scores(rows)
    assert means['broken'] == {'AUC': None, 'AP': None}
    aps = [row['scores']['intensity']['average_precision'] for row in rows]
    assert means['intensity']['AP'] == pytest.approx(np.mean(aps))


def test_the_picture_grows_with_slices_and_maps(dataset, tmp_path):
    sizes = []
    for maps, count in (({}, 1), (MAPS, 2)):
        rows = scored_maps(NoNetwork(), maps, dataset, drawn_slices(dataset, count))
        draw_map_page(rows, tmp_path / 'new' / 'page.png')
        sizes.append(imread(tmp_path / 'new' / 'page.png').shape)
    assert sizes[1][0] > 1.5 * sizes[0][0] and sizes[1][1] > sizes[0][1]


def test_a_slice_without_a_class_is_refused(dataset):
    class Unknown(SliceDataset):
        def __getitem__(self, position):
            item = super().__getitem__(position)
            del item['data_samples'].label
            return item

    dataset.__class__ = Unknown
    with pytest.raises(ValueError, match='the class of .* is not known'):
        scored_maps(NoNetwork(), {}, dataset, drawn_slices(dataset, 1))


def test_the_tool_writes_a_page_that_says_what_it_is_of(tiny_store, tmp_path, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'default')
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir, cfg.log_level = str(tmp_path), 'ERROR'
    runner = CTRunner.from_cfg(cfg)
    runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False, save_param_scheduler=False)
    main = runpy.run_path('tools/analysis_tools/map_page.py')['main']
    main([CONFIG, str(tmp_path / 'a.pth'), '--out', str(tmp_path / 'maps'), '--num', '2'])
    text = (tmp_path / 'maps' / 'map_slices.md').read_text()
    assert text.startswith('# Maps of 2 slices') and 'a.pth (sha256 ' in text
    names = ('CAAM', 'class map', 'saliency', 'of the infection', 'decoder')
    assert all(f'| {name} | 0.' in text for name in names)
    assert (tmp_path / 'maps' / 'map_slices.png').read_bytes()[:4] == b'\x89PNG'


def test_maps_that_a_network_cannot_give_are_left_out_of_the_page(
    tiny_store, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'default')
    monkeypatch.setenv('XAICOVID_SCALE', 'quick')
    config, weights = 'configs/comparison/resnet18.py', tmp_path / 'new.pth'
    init_default_scope('xaicovid_mm')
    network = MODELS.build(load_config(config).model)
    torch.save(dict(state_dict=network.state_dict(), meta={}), weights)
    main = runpy.run_path('tools/analysis_tools/map_page.py')['main']
    main([config, str(weights), '--out', str(tmp_path), '--num', '1'])
    said = capsys.readouterr().out
    assert 'the map caam is left out: its cls_head' in said
    assert 'the map decoder is left out: it has no decode_head' in said
    lines = (tmp_path / 'map_slices.md').read_text().splitlines()
    shown = [line.split(' | ')[0] for line in lines if line.startswith('| ')]
    assert shown == ['| map', '| ---', '| slice (intensity)', '| saliency']
