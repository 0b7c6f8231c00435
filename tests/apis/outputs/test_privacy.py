"""Nothing of a DICOM header gets into an output."""

import gzip

import pydicom
from planted_scan import PLANTED

from xaicovid_mm.apis import CTInferencer


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
