"""No error that is stored names a patient, wherever the name stands."""

import csv
import json
from pathlib import Path

import dicom_maker as make
import pytest
from planted_faults import NAME, UID, planted_faults

from xaicovid_mm.data_prep.case_table import COLUMNS
from xaicovid_mm.data_prep.check.anonymize import GAP, anonymous, anonymous_error
from xaicovid_mm.data_prep.check.report import check_cases
from xaicovid_mm.data_prep.io.image_folder import ImageFolderSpec
from xaicovid_mm.data_prep.load_case import load_case
from xaicovid_mm.utils.errors import ScanError


@pytest.fixture(scope='module')
def faults(tmp_path_factory):
    return planted_faults(tmp_path_factory.mktemp('planted'))


def test_no_name_is_in_a_report_of_scans_and_masks_that_cannot_be_read(faults, tmp_path):
    with open(tmp_path / 'cases.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, COLUMNS, restval='')
        writer.writeheader()
        for number, path in enumerate(faults.values()):
            files = dict(image=path, lung=path)
            writer.writerow(dict(case=f'case{number}', patient=NAME, site=NAME) | files)
    summary = check_cases(tmp_path / 'cases.csv', tmp_path / 'out')
    assert summary.counts['refused'] == len(faults)
    assert NAME in '\n'.join(summary.refused)  # the user is told
    for name in ('check.json', 'check.html'):
        text = (tmp_path / 'out' / name).read_text()
        for secret in (NAME, NAME[:4], 'GIVEN', UID, str(tmp_path), 'planted'):
            assert secret not in text, (name, text[max(text.find(secret) - 300, 0) :][:400])
    for case in json.loads((tmp_path / 'out' / 'check.json').read_text())['cases']:
        for issue in case['issues']:
            assert len(issue['text']) > 10 and len(issue['remedy']) > 5
            assert '((' not in issue['text']


@pytest.mark.parametrize('window', [(-1000, 400)])
def test_no_name_is_left_of_the_errors_of_picture_folders(faults, window):
    for case, path in faults.items():
        loaded = load_case({'image': path}, ImageFolderSpec(window, (5, 1, 1)))
        for file_error in loaded.errors:
            assert NAME not in anonymous_error(file_error.error, {'image': path}), case


@pytest.mark.parametrize(
    'text, shared',
    [
        ("RescaleSlope is 'A^B', must be 1 number", f'RescaleSlope is {GAP}, must be 1 number'),
        ('cannot be read ("A\'s B"): export', f'cannot be read {GAP}: export'),
        (r"cut 'A\'s B' off", f'cut {GAP} off'),
        ("never closed 'A^B and all that follows", f'never closed {GAP}'),
        ("give a mask of the slice's size, of slices' sizes", None),
        ("series '1.2.840.1.5': 3 slices, 1.2.840.1.6", 'series UID: 3 slices, UID'),
        ("series '1.2.840.1.5 A^B': 3", f'series {GAP}: 3'),
        ('cannot write /home/a b/c.txt: full', f'cannot write {GAP} b/c.txt: full'),
        ('values from -1000 to 3.5e+03, 0.7 x 0.7 mm, n/a, +/- 3', None),
    ],
)
def test_quotes_paths_and_uids_are_taken_out_and_nothing_else(text, shared):
    assert anonymous(text, {}) == (text if shared is None else shared)


def test_a_path_is_called_by_its_word_in_every_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path('a/../b c.nii')
    text = f'{path} and {path.absolute()} and {path.resolve()} differ'
    assert anonymous(text, {'image': path}) == 'image and image and image differ'


def test_of_an_error_that_is_not_ours_only_the_kind_or_the_reason_is_shared():
    assert anonymous_error(ScanError('bad', 'mend it'), {}) == 'bad: mend it'
    assert anonymous_error(PermissionError(13, 'Permission denied', '/a/b'), {}) == (
        'Permission denied'
    )
    assert anonymous_error(ValueError('A^B is no number'), {}).startswith('ValueError, which')


def test_words_of_ours_stay_beside_what_is_taken_out(tmp_path):
    make.series(tmp_path / 'a', [make.image(k, RescaleSlope=None) for k in range(3)])
    make.series(tmp_path / 'b', [make.image(k, Modality='MR') for k in range(3)])
    (tmp_path / 'c').symlink_to(tmp_path / 'c')
    said = {
        'a': 'RescaleSlope is absent, must be 1 finite',
        'b': f'image (file 1) (CT image of another modality, {GAP})',
        'gone': 'image cannot be read (No such file or directory)',
        'c': 'image cannot be read (Too many levels of symbolic links)',
    }
    for name, words in said.items():
        files = {'image': tmp_path / name}
        (file_error,) = load_case(files).errors
        assert words in anonymous_error(file_error.error, files)
