"""Two processes that predict into one folder."""

import json
import shutil

from at_once import at_once, settled

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.data_prep.find_cases import find_cases


def hidden(folder):
    return [path.name for path in folder.rglob('*') if path.name.startswith('.')]


def test_of_two_that_predict_one_case_into_one_folder_one_is_refused(deployed, scan, tmp_path):
    inferencer, out = CTInferencer(deployed, explain=0), tmp_path / 'out' / 'scan'
    alone = tmp_path / 'alone' / 'scan'
    inferencer(scan, alone)
    for _ in range(2):  # into a new folder, and over an earlier prediction
        ends = at_once(lambda: inferencer(scan, out), lambda: inferencer(scan, out))
        assert settled(ends), ends
        assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in alone.iterdir())
        assert json.loads((out / 'prediction.json').read_text())['patient']
        assert not hidden(tmp_path / 'out')


def test_of_two_that_predict_a_folder_twice_one_is_refused_and_the_pages_are_the_others(
    deployed, scan, tmp_path
):
    scans, out = tmp_path / 'scans', tmp_path / 'out'
    scans.mkdir()
    for name in 'ab':
        shutil.copy(scan, scans / f'{name}.nii.gz')
    inferencer, cases = CTInferencer(deployed, explain=0), find_cases([scans])
    ends = at_once(*[lambda: infer_all(inferencer, cases, out)] * 2)
    assert settled(ends), ends
    assert all('cohort.html' in text for _, text in ends if text)
    record = json.loads((out / 'cohort.json').read_text())
    assert [(entry['case'], entry['error']) for entry in record] == [('a', ''), ('b', '')]
    page = (out / 'cohort.html').read_text()
    for name in 'ab':
        assert f'{name}/report.html' in page and (out / name / 'report.html').is_file()
    assert not hidden(out)


def test_two_that_predict_into_folders_of_their_own_are_both_right(deployed, scan, tmp_path):
    inferencer = CTInferencer(deployed, explain=0)
    outs = [tmp_path / name for name in 'xy']
    ends = at_once(*[lambda out=out: infer_all(inferencer, {'scan': scan}, out) for out in outs])
    assert not any(text for _, text in ends), ends
    one, two = (json.loads((out / 'scan' / 'prediction.json').read_text()) for out in outs)
    assert one['patient'] == two['patient'] and one['burden'] == two['burden']
