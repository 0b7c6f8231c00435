"""Check a table of cases, by the command that a user types."""

import base64
import contextlib
import csv
import json
import re
import zipfile
from io import BytesIO

import dicom_maker as make
import nibabel as nib
import numpy as np
import pytest
from skimage.io import imread

from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.check.report import check_cases
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import ScanError
from xaicovid_mm.utils.files import file_sha256

AFFINE = np.diag([-2.8, -2.8, 8.0, 1])
COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Files of one phantom patient, good and bad."""
    root = tmp_path_factory.mktemp('SURNAME')
    case = make_case(2, SITES[0], [0, 2, 2])
    hu, lung, infection = (array[2:-1] for array in (case.hu, case.lung, case.infection))
    save(root / 'GIVEN_NAME.nii.gz', hu)
    save(root / 'raw.nii.gz', hu + 1024)
    save(root / 'lung.nii.gz', lung)
    save(root / 'infection.nii.gz', infection)
    save(root / 'short.nii.gz', infection[1:])
    save(root / 'two.nii.gz', infection * 2)
    save(root / 'upside.nii.gz', np.roll(infection, 25, 1))
    save(root / 'empty.nii.gz', infection & False)
    (root / 'torn.nii.gz').write_bytes((root / 'GIVEN_NAME.nii.gz').read_bytes()[:900])
    make.series(root / 'dicom')
    (root / 'dicom' / 'SURNAME.dcm').write_bytes(b'\0' * 128 + b'DICM')
    return root


def save(path, data):
    dtype = np.uint8 if data.dtype == bool else np.int16
    nib.save(nib.Nifti1Image(data.transpose(2, 1, 0).astype(dtype), AFFINE), path)


def write(folder, *rows, name='cases.csv'):
    """A table of (case, image, infection, lung, label)."""
    with open(folder / name, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for case, image, infection, lung, label in rows:
            writer.writerow([case, 'PATIENT', image, infection, lung, label, 'SITE'])
    return folder / name


GOOD = 'GIVEN_NAME.nii.gz'
FINE = ('fine', GOOD, 'infection.nii.gz', 'lung.nii.gz', 'COVID-19')
RAW = ('<script>alert(1)', 'raw.nii.gz', '', '', '')
GONE = ('gone', 'none.nii.gz', '', '', '')


def checked(folder, out, *rows):
    outcome = check_cases(write(folder, *rows), out)
    return outcome, json.loads((out / 'check.json').read_text())


def case_of(folder, out, row):
    return checked(folder, out, row)[1]['cases'][0]


def codes(record):
    return {issue['code']: issue['severity'] for issue in record['issues']}


def test_a_good_case_is_ok_and_described(folder, tmp_path):
    record = case_of(folder, tmp_path, FINE)
    assert record['verdict'] == 'ok' and record['issues'] == []
    assert record['shape'] == [108, 108, 29] and record['slices'] == 29
    assert record['spacing_mm'] == [8.0, 2.8, 2.8] and record['orientation'] == 'LPS'
    assert record['percentiles']['0'] == -1024 and -1000 < record['percentiles']['50'] < -900
    assert record['sha256'] == {
        'image': file_sha256(folder / GOOD),
        'infection': file_sha256(folder / 'infection.nii.gz'),
        'lung': file_sha256(folder / 'lung.nii.gz'),
    }


BAD = {
    'torn gzip': (('a', 'torn.nii.gz', '', '', ''), 'image unreadable', 'refused'),
    'no file': (GONE, 'image unreadable', 'refused'),
    'no mask file': (('a', GOOD, 'none.nii.gz', '', ''), 'infection unreadable', 'refused'),
    'intercept': (RAW, 'intercept', 'refused'),
    'other grid': (('a', GOOD, 'short.nii.gz', '', ''), 'other grid', 'refused'),
    'values': (('a', GOOD, 'two.nii.gz', '', ''), 'label map', 'refused'),
    'outside': (('a', GOOD, 'upside.nii.gz', '', ''), 'mask outside', 'refused'),
    'off lung': (
        ('a', GOOD, 'upside.nii.gz', 'lung.nii.gz', ''),
        'infection outside',
        'warning',
    ),
    'empty': (('a', GOOD, 'empty.nii.gz', '', 'COVID-19'), 'empty mask', 'warning'),
    'empty lung': (('a', GOOD, '', 'empty.nii.gz', ''), 'no lungs', 'refused'),
    'small series': (('a', 'dicom', '', '', ''), 'image unreadable', 'refused'),
}


@pytest.mark.parametrize('row, code, severity', BAD.values(), ids=BAD)
def test_a_bad_case_has_its_issue_with_a_remedy(folder, tmp_path, row, code, severity):
    record = case_of(folder, tmp_path, row)
    assert codes(record)[code] == severity
    assert record['verdict'] in ('refused', severity)
    for issue in record['issues']:
        assert set(issue) == {'code', 'text', 'remedy', 'severity', 'values'}
        assert issue['text'] and len(issue['remedy'].split()) > 1


def test_an_empty_infection_mask_is_as_it_should_be_without_covid(folder, tmp_path):
    assert case_of(folder, tmp_path, ('a', GOOD, 'empty.nii.gz', '', 'NP'))['verdict'] == 'ok'


def test_a_bad_case_does_not_keep_the_next_from_being_read(folder, tmp_path):
    outcome, said = checked(folder, tmp_path, GONE, RAW, FINE)
    assert [c['verdict'] for c in said['cases']] == ['refused', 'refused', 'ok']
    assert outcome.counts == said['counts'] == {'refused': 2, 'warning': 0, 'ok': 1}
    assert str(folder / 'none.nii.gz') in outcome.refused[0]


ALL = (FINE, RAW, GONE, *(row for row, *_ in BAD.values() if row[0] == 'a'))


def numbered(rows):
    return [(f'{k}{row[0]}', *row[1:]) for k, row in enumerate(rows)]


def test_no_path_patient_site_or_uid_is_in_the_outputs(folder, tmp_path):
    checked(folder, tmp_path, *numbered(ALL))
    for name in ('check.json', 'check.html'):
        text = (tmp_path / name).read_text()
        for secret in ('SURNAME', 'GIVEN_NAME', 'PATIENT', 'SITE', 'SECRET', str(folder), make.UID):
            assert secret not in text, (name, secret)


def test_a_uid_in_an_error_is_taken_out(folder, tmp_path):
    root = tmp_path / 'two'
    root.mkdir()
    for number in (1, 2):
        uid = f'1.2.840.113619.2.55.{number}.77'
        make.series(root / f'{number}', [make.image(k, SeriesInstanceUID=uid) for k in range(3)])
    record = case_of(folder, tmp_path, ('a', str(root), '', '', ''))
    text = record['issues'][0]['text'] + record['issues'][0]['remedy']
    assert '2 CT series' in text and 'UID: 3 slices' in text and '113619' not in text


def test_a_file_inside_of_a_zip_is_called_by_its_number(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / 'scan.zip', 'w') as archive:
        archive.writestr('A.dcm', b'')
        archive.writestr('SURNAME.dcm', b'\0' * 128 + b'DICM')
    record = case_of(folder, tmp_path, ('a', str(tmp_path / 'scan.zip'), '', '', ''))
    text = record['issues'][0]['text']
    assert 'image (file 2)' in text and 'SURNAME' not in text


def test_what_stands_in_the_table_is_text_in_the_page(folder, tmp_path):
    checked(folder, tmp_path, RAW)
    page = (tmp_path / 'check.html').read_text()
    assert '<script' not in page and '&lt;script&gt;alert(1)' in page


def test_the_page_needs_nothing_but_itself(folder, tmp_path):
    checked(folder, tmp_path, FINE, RAW, GONE)
    page = (tmp_path / 'check.html').read_text()
    assert 'http' not in page.replace('http-equiv', '') and "default-src 'none'" in page
    assert all(
        src.startswith('data:image/png;base64,') for src in re.findall(r'src="([^"]*)', page)
    )


def test_the_page_shows_the_worst_first_and_two_pictures_of_each_case_that_was_read(
    folder, tmp_path
):
    checked(folder, tmp_path, FINE, RAW, GONE)
    page = (tmp_path / 'check.html').read_text()
    assert page.index('alert(1)') < page.index('gone') < page.index('>fine<')
    pictures = re.findall(r'base64,([^"]*)" width="(\d+)" height="(\d+)"', page)
    shapes = [imread(BytesIO(base64.b64decode(png))).shape for png, *_ in pictures]
    assert len(pictures) == 4 and shapes[0] == (128, 128)
    assert shapes == [(int(height), int(width)) for _, width, height in pictures]
    assert shapes[1] == (round(128 * 29 * 8 / (108 * 2.8)), 128)


def test_outputs_are_the_same_for_any_number_of_workers(folder, tmp_path):
    table = write(folder, FINE, RAW, GONE)
    for workers in (1, 2):
        check_cases(table, tmp_path / str(workers), workers=workers)
    for name in ('check.json', 'check.html'):
        assert (tmp_path / '1' / name).read_bytes() == (tmp_path / '2' / name).read_bytes()


def test_the_command_fails_if_a_case_is_refused_and_only_then(tool, folder, tmp_path, capsys):
    warned = ('warned', GOOD, 'empty.nii.gz', '', '')
    tool(['check', str(write(folder, FINE, warned)), str(tmp_path)])
    assert '0 refused, 1 warning, 1 ok' in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        tool(['check', str(write(folder, FINE, RAW)), str(tmp_path)])
    assert stop.value.code == 1 and 'subtract 1024' in capsys.readouterr().err
    assert json.loads((tmp_path / 'check.json').read_text())['counts']['refused'] == 1


def test_a_wrong_table_is_named_and_nothing_is_written(tool, folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        tool(['check', str(write(folder, FINE, FINE)), str(tmp_path / 'out')])
    assert stop.value.code == 2 and "'fine' is given twice" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_scan_with_hardly_a_lung_gets_in_only_if_it_is_accepted_and_then_it_is_noted(
    tool, folder, tmp_path, capsys
):
    lung = np.asanyarray(nib.load(folder / 'lung.nii.gz').dataobj).transpose(2, 1, 0) > 0
    first = lung.reshape(len(lung), -1).cumsum(1) <= 20
    small = lung & first.reshape(lung.shape)
    save(folder / 'small.nii.gz', small)
    table = str(write(folder, ('child', GOOD, '', 'small.nii.gz', '')))
    root = tmp_path / 'store'
    with pytest.raises(SystemExit) as stop:
        tool(['volumes', table, str(root)])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and 'small.nii.gz: the lung mask has' in said
    assert '--accept "no lungs"' in said and not (root / 'manifest.json').exists()
    tool(['volumes', table, str(root), '--min-lung-px', '10', '--accept', 'no lungs'])
    (case,) = SliceStore(root).cases
    assert any(re.match(r'accepted: the lung mask has \d+ ml', note) for note in case.notes)


def displayed(folder, name='display.nii.gz', levels=255.0):
    hu = np.asanyarray(nib.load(folder / GOOD).dataobj).transpose(2, 1, 0)
    save(folder / name, np.clip((hu + 1350) / 1500 * levels, 0, levels).astype(np.int16))
    return name


def inverted(folder):
    image = nib.load(folder / displayed(folder))
    save(folder / 'inverted.nii.gz', 255 - np.asanyarray(image.dataobj).transpose(2, 1, 0))
    return 'inverted.nii.gz'


def check_display(tool, folder, out, *row):
    table = write(folder, row)
    with contextlib.suppress(SystemExit):
        tool(['check', str(table), str(out), '--intensity', 'display'])
    (record,) = json.loads((out / 'check.json').read_text())['cases']
    return record


def test_display_values_are_checked_as_such(tool, folder, tmp_path):
    image = displayed(folder)
    row = ('fine', image, 'infection.nii.gz', 'lung.nii.gz', 'COVID-19')
    assert check_display(tool, folder, tmp_path, *row)['verdict'] == 'ok'
    assert case_of(folder, tmp_path, row)['verdict'] == 'refused'  # they are no HU
    prepare_volumes(write(folder, row), tmp_path / 'store', intensity='display')


@pytest.mark.parametrize(
    'image, lung, code',
    [
        (displayed, '', 'no lung mask'),
        (lambda folder: displayed(folder, 'unit.nii.gz', 1.0), 'lung.nii.gz', 'unit range'),
        (lambda folder: GOOD, 'lung.nii.gz', 'no display'),
        (inverted, 'lung.nii.gz', 'inverted'),
    ],
)
def test_what_is_no_display_value_is_refused_by_name_by_check_and_by_volumes(
    tool, folder, tmp_path, image, lung, code
):
    row = ('case', image(folder), '', lung, '')
    assert codes(check_display(tool, folder, tmp_path, *row))[code] == 'refused'
    with pytest.raises(ScanError, match=f'--accept "{code}"'):
        prepare_volumes(write(folder, row), tmp_path / 'store', intensity='display')


def test_prepare_volumes_has_the_same_gate(folder, tmp_path):
    table = write(folder, ('raw', 'raw.nii.gz', '', 'lung.nii.gz', ''))
    with pytest.raises(ScanError, match='raw.nii.gz.*subtract 1024'):
        prepare_volumes(table, tmp_path / 'store')
    assert not (tmp_path / 'store' / 'manifest.json').exists()
