"""Many scans: side by side, again after a stop, and with what says where the model is unsure."""

import json
import os
import re
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from mortal_inferencer import MortalInferencer

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.evaluation.referral import binary_entropy
from xaicovid_mm.utils.errors import WorkerLostError


@pytest.fixture
def cases(scan):
    """Three scans, of which one is none."""
    second = scan.with_name('second.nii.gz')
    second.write_bytes(scan.read_bytes())
    bad = scan.with_name('bad.nii.gz')
    bad.write_text('no scan')
    return {'first': scan, 'second': second, 'bad': bad}


def content(path):
    prediction = json.loads(path.read_text())
    return {key: value for key, value in prediction.items() if key not in ('seconds', 'case')}


@pytest.mark.parametrize(
    'cause', [TypeError('x'), KeyError('x'), IndexError(), AssertionError(), RuntimeError('CUDA')]
)
def test_whatever_a_scan_makes_a_library_raise_the_next_scan_is_predicted(
    deployed, cases, tmp_path, monkeypatch, cause
):
    inferencer, out = CTInferencer(deployed, explain=0), tmp_path / 'out'
    predict = inferencer.predictor.__call__
    calls = iter([cause, None])

    def stumble(*args):
        if error := next(calls):
            exec(compile('raise error', 'library.py', 'exec'), dict(error=error))
        return predict(*args)

    monkeypatch.setattr(inferencer, 'predictor', stumble)
    monkeypatch.delenv('XAICOVID_DEBUG', raising=False)
    first, second, _ = infer_all(inferencer, cases, out)
    assert f'{cases["first"]}: {type(cause).__name__}: ' in first.error
    assert second.prediction and (out / 'cohort.html').is_file()
    assert first.shared_error == f'{type(cause).__name__}, which the command explained when it ran'
    monkeypatch.setenv('XAICOVID_DEBUG', '1')
    calls = iter([cause])
    with pytest.raises(type(cause)):
        infer_all(inferencer, cases, out)


def test_workers_predict_what_one_process_predicts(deployed, cases, tmp_path):
    inferencer = CTInferencer(deployed, explain=1)
    one = infer_all(inferencer, cases, tmp_path / 'one')
    two = infer_all(inferencer, cases, tmp_path / 'two', workers=2)
    assert [outcome.case for outcome in two] == ['first', 'second', 'bad']
    assert [bool(outcome.error) for outcome in two] == [False, False, True]
    assert [o.prediction for o in one] == [o.prediction for o in two]
    for name in ('first', 'second'):
        folders = tmp_path / 'one' / name, tmp_path / 'two' / name
        assert content(folders[0] / 'prediction.json') == content(folders[1] / 'prediction.json')
        for file in ('infection', 'caam', 'saliency'):
            a, b = (np.asarray(nib.load(f / f'{file}.nii.gz').dataobj) for f in folders)
            np.testing.assert_array_equal(a, b)
    assert (tmp_path / 'two' / 'cohort.csv').read_text().count('\n') == 4


def test_a_run_goes_on_where_it_was_stopped(deployed, cases, tmp_path):
    calls = []

    class Counted(CTInferencer):
        def __call__(self, scan, out, lung=None):
            calls.append(out.name)
            return super().__call__(scan, out, lung)

    inferencer, out = Counted(deployed, explain=1), tmp_path / 'out'
    infer_all(inferencer, {'first': cases['first']}, out)
    outcomes = infer_all(inferencer, cases, out, resume=True)
    assert calls == ['first', 'second', 'bad']  # the first was not done twice
    assert outcomes[0].prediction == infer_all(inferencer, cases, out)[0].prediction
    calls.clear()
    infer_all(inferencer, cases, out)
    assert calls == ['first', 'second', 'bad']  # without resume all are


def test_a_worker_that_is_killed_costs_its_scans_and_nothing_is_done_twice(
    deployed, scan, tmp_path
):
    names = ('a', 'b', 'c', 'deadly', 'e')
    cases = {name: scan for name in names}
    inferencer, out = MortalInferencer(deployed, explain=1), tmp_path / 'out'
    with pytest.raises(WorkerLostError, match='one of 2 worker processes was killed'):
        infer_all(inferencer, cases, out, workers=2)
    whole = {path.parent.name for path in out.glob('*/prediction.json')}
    outcomes = infer_all(inferencer, cases, out, resume=True)
    assert [outcome.case for outcome in outcomes] == list(names)
    assert all(outcome.prediction for outcome in outcomes)
    calls = (tmp_path / 'calls').read_text().split()
    assert set(calls) == set(names)
    assert all(calls.count(name) == 1 for name in whole)  # what was whole was kept
    assert (out / 'cohort.html').is_file()


@pytest.mark.parametrize('what', ['scan', 'model', 'record', 'unknown form'])
def test_a_prediction_of_something_else_is_not_kept(deployed, cases, tmp_path, what):
    inferencer, out = CTInferencer(deployed, explain=1), tmp_path / 'out'
    first = {'first': cases['first']}
    infer_all(inferencer, first, out)
    path = out / 'first' / 'prediction.json'
    before = path.stat().st_mtime_ns
    if what == 'scan':
        image = nib.load(cases['first'])
        nib.save(nib.Nifti1Image(image.get_fdata() + 1, image.affine), cases['first'])
    if what == 'model':
        deployed.provenance = dict(deployed.provenance, weights_sha256='another')
    if what == 'record':
        path.write_text(path.read_text()[:-20])  # cut off
    if what == 'unknown form':
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | dict(referral=dict(score=0.1, refer=None))))
    infer_all(inferencer, first, out, resume=True)
    assert path.stat().st_mtime_ns > before
    json.loads(path.read_text())


def test_a_prediction_of_another_series_of_the_folder_is_not_kept(deployed, dicom_scan, tmp_path):
    uid = pydicom.dcmread(next(dicom_scan.iterdir())).SeriesInstanceUID
    first, out = {'first': dicom_scan}, tmp_path / 'out'
    path = out / 'first' / 'prediction.json'
    infer_all(CTInferencer(deployed, explain=0), first, out)
    for series, redone in ((uid, True), (uid, False), ('', True)):
        before = path.stat().st_mtime_ns
        infer_all(CTInferencer(deployed, explain=0, series=series), first, out, resume=True)
        assert (path.stat().st_mtime_ns > before) is redone


def test_a_prediction_that_lacks_what_is_asked_for_is_made_again(deployed, cases, tmp_path):
    first, out = {'first': cases['first']}, tmp_path / 'out'
    infer_all(CTInferencer(deployed, explain=1), first, out)
    path = out / 'first' / 'prediction.json'
    more = dict(explain=2, infection_saliency=True)
    for asked in (dict(explain=2), dict(explain=2, uncertainty=True), more):
        before = path.stat().st_mtime_ns
        for redone in (True, False):
            infer_all(CTInferencer(deployed, **asked), first, out, resume=True)
            assert (path.stat().st_mtime_ns > before) is redone
            before = path.stat().st_mtime_ns
    files = {path.name for path in (out / 'first').iterdir()}
    assert 'infection_saliency.nii.gz' in files and 'uncertainty.nii.gz' not in files


def test_the_doubt_in_a_scan_is_that_of_its_slices(deployed, scan, tmp_path):
    deployed.referral = dict(wrong_class=0.0)
    prediction = CTInferencer(deployed, explain=1)(scan, tmp_path / 'a')
    found = prediction['referral']
    parts = [found[part] for part in ('margin', 'mask', 'conflict')]
    assert found['refer'] is True
    assert found['wrong_class'] == dict(score=max(parts), threshold=0.0, refer=True)
    assert found['missed_mask'] == dict(score=found['mask'], threshold=None, refer=None)
    assert 'refer to a radiologist' in [flag['code'] for flag in prediction['flags']]
    deployed.referral = {}
    assert CTInferencer(deployed, explain=1)(scan, tmp_path / 'b')['referral']['refer'] is None


def test_the_uncertainty_lies_on_the_grid_of_the_scan_and_is_greatest_at_one_half(
    deployed, scan, tmp_path
):
    CTInferencer(deployed, explain=1, uncertainty=True)(scan, tmp_path / 'a')
    image = nib.load(tmp_path / 'a' / 'uncertainty.nii.gz')
    np.testing.assert_array_equal(image.affine, nib.load(scan).affine)
    assert image.shape == nib.load(scan).shape and image.get_data_dtype() == np.uint8
    found = np.asarray(image.dataobj)
    lung = np.asarray(nib.load(tmp_path / 'a' / 'lung.nii.gz').dataobj) > 0
    assert found[lung].max() > 0
    assert binary_entropy(np.array([0.5, 0.0, 1.0])) == pytest.approx([1, 0, 0], abs=1e-4)
    CTInferencer(deployed, explain=1)(scan, tmp_path / 'b')
    assert not (tmp_path / 'b' / 'uncertainty.nii.gz').exists()


def test_the_tasks_of_the_documented_array_share_all_scans_and_none_twice(tmp_path):
    page = Path('docs/how-to/infer.md').read_text(encoding='utf-8')
    share = re.search(r'\$\((awk "NR % (\d+) == \$SLURM_ARRAY_TASK_ID" scans\.txt)\)', page)
    tasks = re.search(r'--array=0-(\d+)', page)
    assert share and tasks and int(tasks[1]) + 1 == int(share[2])
    scans = [f'scan{number}.nii.gz' for number in range(2 * int(share[2]) + 7)]
    (tmp_path / 'scans.txt').write_text(''.join(f'{name}\n' for name in scans))
    taken = []
    for task in range(int(tasks[1]) + 1):
        env = os.environ | dict(SLURM_ARRAY_TASK_ID=str(task))
        run = ['bash', '-c', share[1]]
        done = subprocess.run(
            run, env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        taken.append(done.stdout.split())
    assert sorted(sum(taken, [])) == sorted(scans)
    assert {len(names) for names in taken} == {2, 3}
