"""Nothing of a DICOM header gets into an output, and no name of a file into a shared one."""

import gzip
import json

import pydicom
from planted_faults import NAME, UID, planted_faults
from planted_scan import PLANTED

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.data_prep.io.image_folder import ImageFolderSpec


def test_no_name_id_or_date_of_a_dicom_header_is_in_any_output(deployed, dicom_scan, tmp_path):
    assert pydicom.dcmread(dicom_scan / 'Planted000.dcm').PatientID == 'PLANTED-ID-4711'
    CTInferencer(deployed, explain=1)(dicom_scan, tmp_path / 'out' / 'case1')
    files = list((tmp_path / 'out').rglob('*.*'))
    assert len(files) == 7
    for path in files:
        content = path.read_bytes()
        if path.suffix == '.gz':
            content += gzip.decompress(content)
        for secret in (*PLANTED.values(), 'Planted', str(tmp_path)):
            assert secret.encode() not in content, (path.name, secret)


def test_no_name_is_on_the_page_of_a_cohort_whose_scans_cannot_be_read(deployed, tmp_path):
    faults = {f'case{k}': path for k, path in enumerate(planted_faults(tmp_path).values())}
    out = tmp_path / 'out'
    inferencer = CTInferencer(deployed, explain=0, images=ImageFolderSpec((-1000, 0), (5, 1, 1)))
    outcomes = infer_all(inferencer, faults, out)
    assert all(outcome.error for outcome in outcomes)
    assert any(NAME in outcome.error for outcome in outcomes)  # the user is told
    for name in ('cohort.json', 'cohort.html', 'cohort.csv'):
        text = (out / name).read_text()
        for secret in (NAME, 'GIVEN', UID, str(tmp_path)):
            assert secret not in text, (name, secret)
    for record in json.loads((out / 'cohort.json').read_text()):
        assert set(record) == {'case', 'prediction', 'error'} and len(record['error']) > 10


def test_a_case_that_needs_too_much_memory_does_not_end_the_cohort(
    deployed, dicom_scan, tmp_path, monkeypatch
):
    inferencer = CTInferencer(deployed, explain=0)
    causes = iter([MemoryError(), RuntimeError("can't allocate memory: you tried"), None])
    predict = inferencer.predictor.__call__

    def short(*args):
        cause = next(causes)
        if cause:
            raise cause
        return predict(*args)

    monkeypatch.setattr(inferencer, 'predictor', short)
    cases = {name: dicom_scan for name in 'abc'}
    a, b, c = infer_all(inferencer, cases, tmp_path / 'out')
    assert 'more memory than there is' in a.error and 'more memory than there is' in b.error
    assert c.prediction and not c.error
