"""A scan in; everything out on the scan's own grid, or nothing at all."""

import json
import re
import runpy
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from tiny_model import CONFIG

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.apis.model_folder.files import write_model_folder
from xaicovid_mm.apis.slice_predictor import SlicePredictor
from xaicovid_mm.data_prep.find_cases import find_cases
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.data_prep.orientation import from_upright
from xaicovid_mm.evaluation.temperature_scaling import apply_temperature
from xaicovid_mm.explain import Saliency
from xaicovid_mm.utils.errors import ScanError

FILES = ['caam', 'cam', 'infection', 'lung', 'saliency']


@pytest.fixture
def predicted(deployed, scan, tmp_path):
    return CTInferencer(deployed, explain=3)(scan, tmp_path / 'out' / 'a'), tmp_path / 'out' / 'a'


def test_every_volume_lies_on_the_grid_of_the_scan(predicted, scan):
    names = sorted(path.name for path in predicted[1].iterdir())
    assert names == sorted([*(f'{f}.nii.gz' for f in FILES), 'prediction.json', 'report.html'])
    original = nib.load(scan)
    for name in FILES:
        image = nib.load(predicted[1] / f'{name}.nii.gz')
        assert image.shape == original.shape
        np.testing.assert_array_equal(image.affine, original.affine)
        np.testing.assert_array_equal(image.header['pixdim'][1:4], original.header['pixdim'][1:4])


def test_the_saliency_of_the_infection_is_made_on_request_and_named(deployed, scan, tmp_path):
    deployed.threshold = 0.0  # all of the lungs
    inferencer = CTInferencer(deployed, explain=3, infection_saliency=True)
    prediction = inferencer(scan, tmp_path / 'a')
    image, other = (
        nib.load(tmp_path / 'a' / f'{name}.nii.gz') for name in ('infection_saliency', 'saliency')
    )
    np.testing.assert_array_equal(image.affine, nib.load(scan).affine)
    maps, of_class = (np.asarray(x.dataobj) for x in (image, other))
    assert maps.any() and not np.array_equal(maps, of_class)
    assert np.array_equal(maps.any((0, 1)), of_class.any((0, 1)))  # of the same slices
    page = (tmp_path / 'a' / 'report.html').read_text()
    assert 'value="infection_saliency"> saliency of the infection' in page
    assert 'mean logit of the infection over the predicted mask' in page
    assert 'infection_saliency' not in prediction['trust']


def test_without_infection_its_saliency_is_blank(deployed, scan, tmp_path):
    deployed.threshold = 1.0
    CTInferencer(deployed, explain=3, infection_saliency=True)(scan, tmp_path / 'a')
    assert not np.asarray(nib.load(tmp_path / 'a' / 'infection_saliency.nii.gz').dataobj).any()


def test_the_page_says_how_the_saliency_was_made(deployed, scan, tmp_path):
    deployed.saliency = Saliency(6, 'log', 'mean', 'prob')
    made = CTInferencer(deployed, explain=1)(scan, tmp_path / 'a')['saliency']
    assert made == dict(
        explains={'saliency': 'probability of COVID-19'}, steps=6, rule='log', baseline='mean',
        sign='abs', percentile=99.0,
    )  # fmt: skip
    page = (tmp_path / 'a' / 'report.html').read_text()
    assert '6 steps of the rule &#39;log&#39; from the baseline &#39;mean&#39;' in page
    assert 'of the probability of COVID-19' in page and 'saliency of the infection' not in page


def test_the_lung_mask_is_that_of_the_scan(predicted, scan):
    volume = read_volume(scan)
    found = read_volume(predicted[1] / 'lung.nii.gz').data > 0
    assert np.array_equal(found, lung_mask(volume.data, volume.spacing_mm))


def test_the_volumes_in_ml_are_those_of_the_masks(predicted):
    prediction, folder = predicted
    ml = 8.0 * 2.8 * 2.8 / 1000
    infection = np.asarray(nib.load(folder / 'infection.nii.gz').dataobj) > 0
    assert prediction['burden']['total']['infection_ml'] == pytest.approx(
        infection.sum() * ml, abs=0.01
    )
    sides = [prediction['burden'][side]['lung_ml'] for side in ('right', 'left')]
    assert sum(sides) == pytest.approx(prediction['burden']['total']['lung_ml'], abs=0.02)
    assert min(sides) > 0.6 * max(sides)


def test_the_page_says_what_its_figures_and_maps_are_of(predicted, chest):
    page = (predicted[1] / 'report.html').read_text()
    depth, high, wide = chest.hu.shape
    size = f'{depth} slices of {wide} x {high} pixels, 8 mm apart; a pixel is 2.8 x 2.8 mm'
    assert size in page
    assert 'CAAM, CAM and saliency are of COVID-19, whatever the class' in page
    assert 'NP is no pneumonia, CAP community-acquired pneumonia' in page
    assert 'a click shows its saliency, which is of COVID-19' in page


def test_an_infection_that_is_known_comes_back_where_it_is(deployed, scan, chest, tmp_path):
    class Perfect(CTInferencer):
        def _slices(self, *args):
            slices, images = super()._slices(*args)
            self.predictor = lambda *asked: replaced(real(*asked), slices)
            return slices, images

    def replaced(predictions, slices):
        planes = slices.grid.cut(chest.infection)[slices.planes]
        predictions.prob = (planes > 0.5).astype(np.float16)
        return predictions

    deployed.preprocessing['size'] = [96, 96]
    inferencer = Perfect(deployed, explain=0)
    real = inferencer.predictor
    affine = nib.load(scan).affine
    lungs = nib.Nifti1Image(from_upright(chest.lung, affine).astype(np.uint8), affine)
    nib.save(lungs, tmp_path / 'lung.nii.gz')  # by threshold some infection would be lost
    inferencer(scan, tmp_path / 'o', tmp_path / 'lung.nii.gz')
    found = read_volume(tmp_path / 'o' / 'infection.nii.gz').data > 0
    assert 2 * (found & chest.infection).sum() / (found.sum() + chest.infection.sum()) > 0.85
    for axes in ((1, 2), (0, 2), (0, 1)):
        centres = [
            np.average(np.arange(mask.sum(axes).size), weights=mask.sum(axes))
            for mask in (found, chest.infection)
        ]
        assert abs(centres[0] - centres[1]) < 0.5


def test_the_json_says_what_the_slices_and_the_patient_are(predicted):
    prediction, folder = predicted
    assert json.loads((folder / 'prediction.json').read_text()) == prediction
    probabilities = prediction['patient']['probabilities']
    assert list(probabilities) == ['NP', 'CAP', 'COVID-19']
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
    slices = np.array([[*s['probabilities'].values()] for s in prediction['slices']])
    as_trained = apply_temperature(slices, 1 / 2.0)  # of slices, which have a temperature of 2
    assert [*probabilities.values()] == pytest.approx(as_trained.mean(0), abs=1e-3)
    assert sum(s['saliency'] for s in prediction['slices']) == 3
    assert prediction['patient']['label'] == max(probabilities, key=probabilities.get)


def test_temperature_softens_every_slice(deployed, scan, tmp_path):
    soft = CTInferencer(deployed, explain=0)(scan, tmp_path / 'soft')
    deployed.temperature = 0.5
    sharp = CTInferencer(deployed, explain=0)(scan, tmp_path / 'sharp')
    for a, b in zip(soft['slices'], sharp['slices'], strict=True):
        assert max(a['probabilities'].values()) <= max(b['probabilities'].values())


def test_a_patient_is_scaled_by_a_temperature_of_patients(deployed, scan, tmp_path):
    raw = CTInferencer(deployed, explain=0)(scan, tmp_path / 'raw')['patient']['probabilities']
    deployed.temperature, deployed.patient_temperature = 0.5, 4.0
    found = CTInferencer(deployed, explain=0)(scan, tmp_path / 'scaled')['patient']
    expected = apply_temperature(np.array([list(raw.values())]), 4.0)[0]
    assert list(found['probabilities'].values()) == pytest.approx(expected, abs=2e-4)


def test_a_model_without_a_fit_says_why(deployed, scan, tmp_path):
    deployed.provenance |= dict(calibrated=False, uncalibrated_because='0 of 30 are wrong')
    prediction = CTInferencer(deployed, explain=0)(scan, tmp_path / 'out')
    (flag,) = [flag for flag in prediction['flags'] if flag['code'] == 'uncalibrated']
    assert '0 of 30 are wrong' in flag['text'] and not prediction['patient']['calibrated']
    assert '0 of 30 are wrong' in (tmp_path / 'out' / 'report.html').read_text()


def test_nothing_of_the_header_or_the_path_goes_out(predicted, scan):
    for path in predicted[1].iterdir():
        content = path.read_bytes()
        if path.suffix == '.gz':
            content = nib.load(path).header.binaryblock
        for secret in (b'Planted', b'1970-01-01', scan.name.encode(), str(scan.parent).encode()):
            assert secret not in content, (path.name, secret)


def test_a_batch_of_slices_is_predicted_as_each_alone(deployed):
    images = np.random.default_rng(0).random((5, 32, 32)).astype(np.float32)
    together = SlicePredictor(deployed, batch_size=3)(images, None)
    for i in range(5):
        alone = SlicePredictor(deployed, batch_size=1)(images[i : i + 1], None)
        np.testing.assert_allclose(together.scores[i], alone.scores[0], atol=1e-5)
        np.testing.assert_allclose(together.prob[i], alone.prob[0], atol=2e-3)
        assert np.abs(together.caam[i].astype(int) - alone.caam[0]).max() <= 1


def test_what_is_no_chest_leaves_nothing_behind(deployed, tmp_path):
    nib.save(nib.Nifti1Image(np.full((20, 20, 20), 40, np.int16), np.eye(4)), tmp_path / 'w.nii.gz')
    (tmp_path / 'text.nii.gz').write_text('no scan')
    for name in ('w', 'text', 'gone'):
        with pytest.raises(ScanError, match=f'{name}.nii.gz'):
            CTInferencer(deployed)(tmp_path / f'{name}.nii.gz', tmp_path / 'out' / name)
    assert not list((tmp_path / 'out').iterdir())


def test_what_the_door_notes_is_a_flag_of_the_prediction(deployed, chest, tmp_path):
    upper = chest.hu[len(chest.hu) // 2 :]
    affine = np.diag([-2.8, -2.8, 8.0, 1.0])
    nib.save(nib.Nifti1Image(upper.transpose(2, 1, 0), affine), tmp_path / 'upper.nii.gz')
    prediction = CTInferencer(deployed)(tmp_path / 'upper.nii.gz', tmp_path / 'out')
    texts = {flag['code']: flag['text'] for flag in prediction['flags']}
    assert 'lungs cut off' in texts['lowest slice']


def test_only_an_earlier_prediction_is_replaced(deployed, scan, tmp_path):
    inferencer, out = CTInferencer(deployed, explain=0), tmp_path / 'mine'
    out.mkdir()
    (out / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match='another --out'):
        inferencer(scan, out)
    assert (out / 'thesis.txt').read_text() == 'years of work'
    for _ in range(2):
        inferencer(scan, tmp_path / 'again')
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith('.')] == []


def test_a_full_disk_leaves_nothing_behind(deployed, scan, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(nib, 'save', full)
    with pytest.raises(OSError, match='No space'):
        CTInferencer(deployed)(scan, tmp_path / 'out' / 'a')
    assert not list((tmp_path / 'out').iterdir())


def test_a_prediction_that_may_not_be_replaced_stays_whole(deployed, scan, tmp_path, monkeypatch):
    CTInferencer(deployed, explain=0)(scan, tmp_path / 'a')
    before = sorted(tmp_path.rglob('*'))
    monkeypatch.setattr('os.access', lambda path, mode: False)
    with pytest.raises(PermissionError, match='may not be replaced'):
        CTInferencer(deployed, explain=0)(scan, tmp_path / 'a')
    assert sorted(tmp_path.rglob('*')) == before


def test_a_given_lung_mask_is_used_and_must_lie_on_the_grid(deployed, scan, tmp_path):
    image = nib.load(scan)
    half = np.zeros(image.shape, np.uint8)
    half[8:20, 20:50, 40:80] = 1
    nib.save(nib.Nifti1Image(half, image.affine), tmp_path / 'lung.nii.gz')
    CTInferencer(deployed, explain=0)(scan, tmp_path / 'o', tmp_path / 'lung.nii.gz')
    assert np.array_equal(np.asarray(nib.load(tmp_path / 'o' / 'lung.nii.gz').dataobj), half)
    nib.save(nib.Nifti1Image(half[1:], image.affine), tmp_path / 'other.nii.gz')
    with pytest.raises(ScanError, match='grid of the scan'):
        CTInferencer(deployed)(scan, tmp_path / 'p', tmp_path / 'other.nii.gz')


def test_a_label_map_is_a_lung_mask_once_its_values_are_named(folder, scan, tmp_path, capsys):
    tool = runpy.run_path('tools/infer.py')['main']
    image = nib.load(scan)
    lobes = np.zeros(image.shape, np.uint8)
    lobes[8:14, 20:50, 40:80], lobes[14:20, 20:50, 40:80], lobes[30:, 30:40] = 10, 14, 16
    nib.save(nib.Nifti1Image(lobes, image.affine), tmp_path / 'lobes.nii.gz')
    options = ['--model', str(folder), '--out', str(tmp_path / 'out'), '--explain', '0']
    options = [str(scan), *options, '--lung', str(tmp_path / 'lobes.nii.gz')]
    with pytest.raises(SystemExit):
        tool(options)
    assert '--lung-values' in capsys.readouterr().err
    tool([*options, '--lung-values', '10', '14'])
    out = tmp_path / 'out' / 'scan'
    found = np.asarray(nib.load(out / 'lung.nii.gz').dataobj)
    np.testing.assert_array_equal(found, np.isin(lobes, (10, 14)))
    assert json.loads((out / 'prediction.json').read_text())['lungs']['values'] == [10, 14]


def test_the_tool_takes_a_lung_mask_of_one_scan(folder, scan, tmp_path, capsys):
    tool = runpy.run_path('tools/infer.py')['main']
    image = nib.load(scan)
    half = np.zeros(image.shape, np.uint8)
    half[8:20, 20:50, 40:80] = 1
    nib.save(nib.Nifti1Image(half, image.affine), tmp_path / 'lung.nii.gz')
    model = ['--model', str(folder), '--out', str(tmp_path / 'out'), '--explain', '0']
    tool([str(scan), *model, '--lung', str(tmp_path / 'lung.nii.gz')])
    out = tmp_path / 'out' / 'scan'
    assert np.array_equal(np.asarray(nib.load(out / 'lung.nii.gz').dataobj), half)
    assert json.loads((out / 'prediction.json').read_text())['lungs']['method'] == 'given'
    tool([str(scan), *model, '--lungs', 'threshold'])
    assert json.loads((out / 'prediction.json').read_text())['lungs']['method'] == 'threshold'
    for options, said in (
        (['--lung', 'x', '--lungs', 'threshold'], 'either --lung MASK'),
        (['--lungs', 'hybrid'], 'needs config and checkpoint of a lung model'),
        (
            ['--lungs', 'lungmask'],
            'needs its weights, and nothing is downloaded: give them with --lung-checkpoint',
        ),
        (['--lung-values', '10'], 'give it by --lung MASK'),
        (['--lung', 'missing.nii.gz', '--lung-values', '0'], "'0' is no whole number other"),
        (['--lung', 'missing.nii.gz', '--lung-values', 'x'], "'x' is no whole number other"),
        (['--lung', 'missing.nii.gz'], '--lung missing.nii.gz is not there'),
        (['--lung-checkpoint', 'x'], 'takes no model, and x was given'),
    ):
        with pytest.raises(SystemExit) as stop:
            tool([str(scan), *model, *options])
        assert stop.value.code == 2 and said in capsys.readouterr().err


def test_a_slice_with_too_little_infection_is_left_empty_in_the_report(deployed, scan, tmp_path):
    deployed.threshold = 0.0  # all of the lungs, whose share of a slice differs from slice to slice
    volumes = []
    for deployed.min_area in (0.0, 0.2):
        prediction = CTInferencer(deployed, explain=0)(scan, tmp_path / 'o')
        mask = np.asarray(nib.load(tmp_path / 'o' / 'infection.nii.gz').dataobj) > 0
        volumes.append((mask, prediction['burden']['total']['infection_ml']))
    (all_of_it, most_ml), (large, ml) = volumes
    kept, area = large.any((1, 2)), all_of_it.sum((1, 2))
    assert 0 < kept.sum() < (area > 0).sum() and 0 < ml < most_ml
    assert area[~kept].max() <= area[kept].min() * 1.1  # pixels of the network are larger
    np.testing.assert_array_equal(large[kept], all_of_it[kept])


def test_nothing_is_infected_outside_the_lungs(deployed, scan, tmp_path):
    deployed.model.decode_head.forward = lambda feats, *args: torch.full(
        (len(feats[0]), 1, 32, 32), 9.0
    )
    CTInferencer(deployed, explain=0)(scan, tmp_path / 'o')
    infection, lung = (
        np.asarray(nib.load(tmp_path / 'o' / f'{name}.nii.gz').dataobj) > 0
        for name in ('infection', 'lung')
    )
    assert infection.any() and not (infection & ~lung).any()


def test_a_cohort_goes_on_after_a_bad_case_and_lists_it(deployed, scan, tmp_path):
    (tmp_path / 'a<script>.nii.gz').write_text('bad')
    outcomes = infer_all(
        CTInferencer(deployed, explain=0), find_cases([tmp_path]), tmp_path / 'out'
    )
    assert [(o.case, o.prediction is None) for o in outcomes] == [
        ('a<script>', True),
        ('scan', False),
    ]
    page = (tmp_path / 'out' / 'cohort.html').read_text()
    assert 'a&lt;script&gt;' in page and 'a<script>' not in page
    assert 'scan/report.html' in page and 'not predicted' in page
    assert len(json.loads((tmp_path / 'out' / 'cohort.json').read_text())) == 2


def test_scans_are_named_by_their_files_and_two_of_a_name_by_their_folders(tmp_path):
    for folder in ('x', 'y'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'a.nii.gz').touch()
    assert list(find_cases([tmp_path / 'x'])) == ['a']
    both = find_cases([tmp_path / 'x', tmp_path / 'y'])
    assert both == {f'{k}_a': tmp_path / k / 'a.nii.gz' for k in 'xy'}
    with pytest.raises(ValueError, match='given twice'):
        find_cases([tmp_path / 'x', tmp_path / 'x' / 'a.nii.gz'])
    (tmp_path / 'dicom' / 'p1').mkdir(parents=True)
    (tmp_path / 'dicom' / 'p2').mkdir()
    assert list(find_cases([tmp_path / 'dicom'])) == ['p1', 'p2']
    (tmp_path / 'dicom' / 'p1' / 'I001').touch()
    assert find_cases([tmp_path / 'dicom' / 'p1']) == {'p1': tmp_path / 'dicom' / 'p1'}
    (tmp_path / 'x' / 'more').mkdir()
    with pytest.raises(ValueError, match=r'1 scan files \(a\.nii\.gz\) and folders \(more\): name'):
        find_cases([tmp_path / 'x'])
    (tmp_path / 'empty').mkdir()
    for path in ('empty', 'nowhere'):
        with pytest.raises(FileNotFoundError, match=path):
            find_cases([tmp_path / path])


@pytest.fixture
def folder(model, deployed, tmp_path):
    description = dict(
        model=CONFIG,
        classes=deployed.classes,
        explanation=dict(saliency=dict(steps=1, rule='right')),
        preprocessing=deployed.preprocessing,
        calibration=dict(temperature=2.0, aggregation='mean'),
        provenance=dict(seed=0),
    )
    write_model_folder(tmp_path / 'm', model, description=description)
    return tmp_path / 'm'


def test_the_tool_predicts_with_a_folder_and_says_what_failed(folder, scan, tmp_path, capsys):
    tool = runpy.run_path('tools/infer.py')['main']
    out = str(tmp_path / 'out')
    tool([str(scan), '--model', str(folder), '--out', out, '--explain', '1'])
    said = capsys.readouterr().out
    assert 'scan: ' in said and '1 scan: 1 ' in said and '0 not predicted' in said
    bad = [tmp_path / f'bad{k}.nii.gz' for k in range(2)]
    for path in bad:
        shutil.copy(__file__, path)
    cases = [str(path) for path in (bad[0], scan, bad[1])]
    with pytest.raises(SystemExit) as stop:
        tool([*cases, '--model', str(folder), '--out', out, '--explain', '0'])
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert 'error: bad0: ' in said.err and 'error: bad1: ' in said.err
    assert 'scan: ' in said.out and '3 scans: 1 ' in said.out
    assert re.search(r'workers: 1, [1-9]\d* scans an hour', said.out)
    assert '2 not predicted; 1 to read with care' in said.out and 'cohort.html' in said.out
    assert not (tmp_path / 'out' / 'bad0').exists()
    with pytest.raises(SystemExit):
        tool([*map(str, bad), '--model', str(folder), '--out', out])
    assert 'scans an hour' not in capsys.readouterr().out  # none was made


def test_a_place_that_takes_no_files_is_one_line(folder, scan, tmp_path, capsys):
    (tmp_path / 'file').touch()
    out = tmp_path / 'file' / 'out'
    with pytest.raises(SystemExit) as stop:
        runpy.run_path('tools/infer.py')['main'](
            [str(scan), '--model', str(folder), '--out', str(out)]
        )
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert f'error: --out {out}: nothing can be written there (Not a directory)' in said


@pytest.mark.parametrize('options', [[], ['--model', 'm', '--config', 'c'], ['--config', 'c']])
def test_the_tool_wants_one_model(options, scan, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        runpy.run_path('tools/infer.py')['main'](
            [str(scan), '--out', str(tmp_path / 'o'), *options]
        )
    assert stop.value.code == 2 and 'either --model' in capsys.readouterr().err


def test_a_network_that_computes_no_number_makes_no_report(deployed, scan, tmp_path):
    for weight in deployed.model.parameters():
        weight.data.mul_(1e36)
    with pytest.raises(ValueError, match='computes NaN or infinity of slice'):
        CTInferencer(deployed, explain=1)(scan, tmp_path / 'a')
    assert not (tmp_path / 'a').exists()
