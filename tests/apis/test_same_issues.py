"""What one of check, volumes and infer warns of or refuses, all of them do."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.case_table import COLUMNS
from xaicovid_mm.data_prep.check.report import check_cases
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import ScanError

AFFINE = np.diag([-2.8, -2.8, 8.0, 1.0])


def save(path, data):
    dtype = np.float32 if data.dtype.kind == 'f' else np.int16
    nib.save(nib.Nifti1Image(data.transpose(2, 1, 0).astype(dtype), AFFINE), path)
    return path


def cut_lung(chest):
    """The upper half of a chest, its right lung dense, with padding around the field of view."""
    hu, lung = chest.hu[14:].copy(), chest.lung[14:].copy()
    right = lung & (np.arange(hu.shape[2]) < hu.shape[2] // 2)
    hu[right], lung[right] = 30, False
    hu[:, :3] = -2000
    return hu, lung


def moved_mask(chest):
    return chest.hu, np.roll(chest.lung, 45, axis=1)


def label_map(chest):
    lobes = chest.lung * (1 + np.arange(chest.hu.shape[2]) // 20)
    return chest.hu, lobes


def probable(chest):
    return chest.hu, chest.lung * 0.7


def no_intercept(chest):
    return chest.hu.astype(int) + 1024, chest.lung


def checked(table, out):
    check_cases(table, out)
    (case,) = json.loads((out / 'check.json').read_text())['cases']
    return case


@pytest.fixture
def table_of(tmp_path):
    def write(image, lung):
        row = dict.fromkeys(COLUMNS, '') | dict(case='a', patient='a', site='s', image=image)
        with open(tmp_path / 'cases.csv', 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerow(row | dict(lung=lung or ''))
        return tmp_path / 'cases.csv'

    return write


@pytest.mark.parametrize('with_mask', [True, False])
def test_what_one_warns_of_all_warn_of(chest, deployed, tmp_path, table_of, with_mask):
    hu, lung = cut_lung(chest)
    image = save(tmp_path / 'scan.nii.gz', hu)
    mask = save(tmp_path / 'lung.nii.gz', lung) if with_mask else None
    table = table_of(image, mask)
    case = checked(table, tmp_path / 'check')
    assert case['verdict'] == 'warning'
    issues = {issue['code']: issue['text'] for issue in case['issues']}
    assert {'padding', 'lowest slice', 'one lung'} <= set(issues)

    prediction = CTInferencer(deployed, explain=0)(image, tmp_path / 'out', mask)
    flags = {flag['code']: flag['text'] for flag in prediction['flags']}
    assert {code: flags.get(code) for code in issues} == issues

    prepare_volumes(table, tmp_path / 'store', SliceSpec(32, min_lung_px=20))
    notes = SliceStore(tmp_path / 'store').cases[0].notes
    warnings = [note for note in notes if note.startswith('warning')]
    assert warnings == [f'warning: {issue["text"]}' for issue in case['issues']]


@pytest.mark.parametrize(
    'change, code',
    [
        (no_intercept, 'intercept'),
        (moved_mask, 'mask outside'),
        (label_map, 'label map'),
        (probable, 'mask values'),
    ],
)
def test_what_one_refuses_all_refuse_with_the_same_words(
    chest, deployed, tmp_path, table_of, change, code
):
    hu, lung = change(chest)
    image, mask = save(tmp_path / 'scan.nii.gz', hu), save(tmp_path / 'lung.nii.gz', lung)
    table = table_of(image, mask)
    case = checked(table, tmp_path / 'check')
    assert case['verdict'] == 'refused'
    refused = [issue for issue in case['issues'] if issue['severity'] == 'refused']
    assert code in [issue['code'] for issue in refused]
    of_mask = 'label map', 'mask values', 'gas', 'mask outside'
    file = mask if refused[0]['code'] in of_mask else image  # the first that is wrong
    what = f'{file}: {refused[0]["text"]}'
    with pytest.raises(ScanError) as in_volumes:
        prepare_volumes(table, tmp_path / 'store', SliceSpec(32))
    with pytest.raises(ScanError) as in_infer:
        CTInferencer(deployed, explain=0)(image, tmp_path / 'out', mask)
    assert in_volumes.value.what == in_infer.value.what == what
    assert in_infer.value.remedy == refused[0]['remedy']
    assert in_volumes.value.remedy.startswith(refused[0]['remedy'])
