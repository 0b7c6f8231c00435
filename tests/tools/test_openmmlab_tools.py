"""The tools that users of OpenMMLab look for: configs, data, logs and matrices at a glance."""

import csv
import json
import runpy
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from tiny_deployed import tiny_model, tiny_network, write_scan

from xaicovid_mm import apis
from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.classes import CLASSES
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.engine.config import load_config

pytestmark = pytest.mark.usefixtures('store')
CONFIG = 'configs/quick/semi_vgg.py'


@pytest.fixture
def printed(capsys):
    def run(tool, *arguments):
        runpy.run_path(f'tools/{tool}.py')['main']([str(a) for a in arguments])
        return ' '.join(capsys.readouterr().out.split())

    return run


def test_a_config_is_printed_as_a_run_reads_it(capsys, tmp_path):
    main = runpy.run_path('tools/misc/print_config.py')['main']
    main([CONFIG, '--cfg-options', 'randomness.seed=7'])
    (tmp_path / 'c.py').write_text(capsys.readouterr().out)
    again = load_config(tmp_path / 'c.py')
    assert again.randomness.seed == 7
    assert again.model == load_config(CONFIG).model


def test_parameters_and_multiply_adds_are_those_of_the_network(printed):
    """By hand: the first convolution takes 9 products a pixel for each of 8 channels."""
    small = [f'model.{part}=(8,8,8,8,8)' for part in ('backbone.widths', 'decode_head.in_channels')]
    small += ['model.backbone.depths=(1,1,1,1,1)', 'model.cls_head.in_channels=(8,8,8)']
    said = printed('analysis_tools/get_flops', CONFIG, '--size', 32, '--cfg-options', *small)
    backbone = 9 * 8 * 32**2 + 9 * 64 * sum((32 // 2**n) ** 2 for n in (1, 2, 3, 4))
    assert f'backbone │ 2,376 │ {backbone:,}' in said and 'together' in said


def test_a_size_whose_maps_would_fill_the_memory_is_refused(capsys):
    main = runpy.run_path('tools/analysis_tools/get_flops.py')['main']
    with pytest.raises(SystemExit) as stop:
        main([CONFIG, '--size', '4000000'])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and '--size 4000000 is more than 2048' in said
    assert 'give a smaller one' in said and 'Traceback' not in said


def test_training_slices_are_drawn_in_both_views(printed, tmp_path):
    out = tmp_path / 'b.png'
    assert '4 slices' in printed('analysis_tools/browse_dataset', CONFIG, '--num', 4, '--out', out)
    height, width, _ = cv2.imread(str(out)).shape
    assert height > width  # four rows of four panels, with room for names


def run_of(folder):
    path = folder / '2026' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    rows = [
        dict(loss=2.0, loss_u=1.0, time=0.5, epoch=1, iter=10, step=10),
        {'seg/dice_slice_mean': 0.25, 'step': 1},
        dict(loss=1.0, loss_u=3.0, time=1.5, epoch=2, iter=20, step=20),
        {'seg/dice_slice_mean': 0.75, 'step': 2},
    ]
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return folder


def test_logs_are_tabled_and_drawn(printed, tmp_path):
    run, out = run_of(tmp_path / 'run'), tmp_path / 'l.png'
    said = printed('analysis_tools/analyze_logs', run, '--keys', 'loss_u', '--out', out)
    assert '3.0000 (2)' in said and '1.0000 (1)' in said  # highest and lowest, with their epochs
    assert 'seconds per step, mean' in said and '1.000' in said
    assert 'dice' not in said and out.is_file()


def test_a_curve_that_no_run_logged_is_named_with_the_nearest(tmp_path, capsys):
    with pytest.raises(SystemExit):
        runpy.run_path('tools/analysis_tools/analyze_logs.py')['main'](
            [str(run_of(tmp_path / 'run')), '--keys', 'los_u']
        )
    assert '--keys los_u' in (said := capsys.readouterr().err) and "'loss_u'" in said


def test_a_confusion_matrix_counts_slices_and_patients(printed, tmp_path):
    """Two patients: one NP of two slices, both right; one COVID-19 of one, taken for CAP."""
    rows = [('a', 0, (0.9, 0.1, 0.0)), ('a', 0, (0.6, 0.4, 0.0)), ('b', 2, (0.0, 0.7, 0.3))]
    with open(tmp_path / 'diagnosis.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['patient', 'label', *(f'prob_{name}' for name in CLASSES)])
        writer.writerows([patient, label, *probs] for patient, label, probs in rows)
    out = tmp_path / 'm.png'
    said = printed('analysis_tools/confusion_matrix', tmp_path, '--out', out)
    slices, patients = said.split('patients (n = 2)')
    assert 'slices (n = 3)' in slices and out.is_file()
    assert 'NP │ 2 │ 0 │ 0 │ 1.000' in slices and 'NP │ 1 │ 0 │ 0 │ 1.000' in patients
    for part in (slices, patients):
        assert 'COVID-19 │ 0 │ 1 │ 0 │ 0.000' in part and 'CAP │ 0 │ 0 │ 0 │ n/a' in part


def test_a_folder_without_a_test_says_what_is_expected(tmp_path, capsys):
    with pytest.raises(SystemExit):
        runpy.run_path('tools/analysis_tools/confusion_matrix.py')['main']([str(tmp_path)])
    assert 'the folder that tools/test.py wrote' in capsys.readouterr().err


@pytest.mark.parametrize('tool', ['analyze_logs', 'plot_runs'])
@pytest.mark.parametrize('content', [bytes(range(256)), b'[1]\n'])
def test_a_log_that_is_none_is_refused_by_name(tool, content, tmp_path, capsys):
    log = tmp_path / 'run' / '2026' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_bytes(content)
    main = runpy.run_path(f'tools/analysis_tools/{tool}.py')['main']
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / 'run'), '--out', str(tmp_path / 'a.png')])
    assert stop.value.code == 2 and 'scalars.json' in capsys.readouterr().err.splitlines()[0]
    assert not (tmp_path / 'a.png').exists()


def drawn_map(monkeypatch, hu, heat, *options):
    """Titles of the slices that vis_cam draws, and the pictures in pairs of slice and map."""
    from matplotlib.axes import Axes

    from xaicovid_mm.apis import CTInferencer
    from xaicovid_mm.data_prep.io import scan

    titles, pictures, set_axis, draw = [], [], Axes.set, Axes.imshow
    monkeypatch.setattr(scan, 'read_scan', lambda path: SimpleNamespace(data=hu))
    monkeypatch.setattr(scan, 'read_volume', lambda path: SimpleNamespace(data=heat))
    monkeypatch.setattr(CTInferencer, '__init__', lambda self, model, explain: None)
    monkeypatch.setattr(CTInferencer, '__call__', lambda *a: dict(patient=dict(label='NP')))
    monkeypatch.setattr(
        Axes, 'set', lambda self, **o: (titles.append(o.get('title')), set_axis(self, **o))
    )
    monkeypatch.setattr(
        Axes, 'imshow', lambda self, data, **o: (pictures.append(data), draw(self, data, **o))[1]
    )
    main = runpy.run_path('tools/analysis_tools/vis_cam.py')['main']
    main(['a.nii.gz', '--model', 'm', *options])
    return [title for title in titles if title], pictures


def test_a_picture_of_a_slice_has_the_number_that_the_report_gives_it(tmp_path, monkeypatch):
    """By hand: of five slices the second from the head is the fourth from the feet, -700 HU."""
    hu = np.zeros((5, 4, 4)) - 1000 + 100 * np.arange(5)[:, None, None]
    out = str(tmp_path / 'a.png')
    titles, pictures = drawn_map(
        monkeypatch, hu, np.zeros((5, 4, 4), np.uint8), '--slice', '2', '--out', out
    )
    assert 'slice 2 of 5' in titles
    assert pictures[0].min() == pictures[0].max() == pytest.approx((-700 + 1250) / 1500)


def test_the_drawn_slices_have_the_most_of_the_map_which_reaches_from_0_to_1(tmp_path, monkeypatch):
    """By hand, from the feet: no map, 100, no map, 255 and 50, so numbers 2, 4 and 1."""
    heat = np.zeros((5, 4, 4), np.uint8)
    heat[1], heat[3], heat[4] = 100, 255, 50
    out = str(tmp_path / 'a.png')
    titles, pictures = drawn_map(monkeypatch, np.zeros((5, 4, 4)), heat, '--num', '3', '--out', out)
    assert titles == ['slice 2 of 5', 'slice 4 of 5', 'slice 1 of 5']
    assert [picture.max() for picture in pictures[1::2]] == [1, 100 / 255, 50 / 255]


def test_the_example_prints_class_and_infection_of_the_scan(printed, tmp_path, monkeypatch):
    infer = CTInferencer(tiny_model(tiny_network()))
    monkeypatch.setattr(apis, 'CTInferencer', {'the model': infer}.get)
    scan = write_scan(make_case(2, SITES[0], [3]), tmp_path)
    said = printed('demo/infer_scan', scan, '--model', 'the model', '--out', tmp_path / 'case')
    found = json.loads((tmp_path / 'case/prediction.json').read_text())
    total, prob = found['burden']['total'], found['patient']['probabilities']
    assert f'class: {found["patient"]["label"]} (NP {prob["NP"]:.2f}, CAP ' in said
    assert f'infection: {total["infection_ml"]} of {total["lung_ml"]} ml of lung' in said
