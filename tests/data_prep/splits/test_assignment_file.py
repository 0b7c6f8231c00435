"""Roles of patients from a table, in the forms that people have."""

import openpyxl
import pytest

from xaicovid_mm.data_prep.splits.assignment_file import read_assignment
from xaicovid_mm.utils.errors import StoreError, TableError

ROWS = [('Patient', 'ROLE'), ('Müller', 'Val'), ('p 2', 'labelled'), ('p3', ''), ('Müller', 'val')]
EXPECTED = dict(labelled=['p 2'], val=['Müller'])


def lines(delimiter):
    return ''.join(delimiter.join(row) + '\r\n' for row in ROWS)


@pytest.mark.parametrize(
    'content',
    [
        lines(',').encode(),
        lines(';').encode('cp1252'),
        lines('\t').encode('utf-16'),
        lines(';').encode('utf-8-sig'),
    ],
    ids=['plain', 'Windows-1252', 'UTF-16', 'mark'],
)
def test_a_table_gives_each_patient_the_role_of_its_rows(tmp_path, content):
    (tmp_path / 's.csv').write_bytes(content)
    assert read_assignment(tmp_path / 's.csv') == EXPECTED


def test_a_workbook_does_too(tmp_path):
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.save(tmp_path / 's.xlsx')
    assert read_assignment(tmp_path / 's.xlsx') == EXPECTED


@pytest.mark.parametrize(
    'text, said',
    [
        ('patient,role\na,vall\n', "line 2, column role: 'vall', did you mean 'val'"),
        ('patient,role\n\n,val\n', 'line 3, column patient: empty'),
        (
            'patient,role\na,val\na,test\n',
            "line 3, column role: patient 'a' is test, in line 2 val",
        ),
        ('patient,role\na,val\na\n', "patient 'a' is without role, in line 2 val"),
        ('patient,group\na,val\n', "0 columns 'role'"),
        ('', "0 columns 'patient'"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_column(tmp_path, text, said):
    (tmp_path / 's.csv').write_text(text)
    with pytest.raises(TableError, match=said) as error:
        read_assignment(tmp_path / 's.csv')
    assert 's.csv' in str(error.value)


@pytest.mark.parametrize(
    'text, said',
    [
        ('{"labelled": ["a"], "val": ["b"], "labelled": ["c"]}', r"\['labelled'\] twice"),
        ('[' * 100_000, 'cannot be read as JSON'),
    ],
    ids=['a role twice', 'too deep'],
)
def test_json_that_would_lose_patients_or_cannot_be_read_is_refused(tmp_path, text, said):
    (tmp_path / 's.json').write_text(text)
    with pytest.raises(StoreError, match=rf's\.json .*{said}'):
        read_assignment(tmp_path / 's.json')
