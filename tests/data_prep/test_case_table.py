"""Tables as people bring them, and names that look alike."""

import sys
import unicodedata
import zipfile
from datetime import datetime

import numpy as np
import openpyxl
import pytest

from xaicovid_mm.data_prep.case_table import COLUMNS, case_rows, read_table
from xaicovid_mm.data_prep.identifiers import identifier, near_equal
from xaicovid_mm.data_prep.table_file import table_lines
from xaicovid_mm.utils.errors import TableError

CELLS = ('Ärztin 1', 'Müller', 'a.nii.gz', '', '', 'COVID-19', 'Köln')


def text(cells=CELLS, delimiter=',', columns=COLUMNS):
    return ''.join(delimiter.join(line) + '\r\n' for line in (columns, cells))


def written(path, content):
    path.write_bytes(content)
    return path


def read(path):
    (row,) = read_table(path, COLUMNS, check_files=False)
    return row


ENCODED = {
    'UTF-8': text().encode(),
    'UTF-8 with mark': text().encode('utf-8-sig'),
    'Windows-1252': text().encode('cp1252'),
    'UTF-16': text().encode('utf-16'),
    'UTF-16 big end first': b'\xfe\xff' + text().encode('utf-16-be'),
    'UTF-16 without mark': text().encode('utf-16-le'),
    'UTF-32': text().encode('utf-32'),
    'semicolons': text(delimiter=';').encode(),
    'tabs': text(delimiter='\t').encode('cp1252'),
    'Excel says': b'sep=;\r\n' + text(delimiter=';').encode('cp1252'),
    'quoted header': text(delimiter=';', columns=[f'"{c}"' for c in COLUMNS]).encode(),
    'a blank line first': b'\r\n;;\r\n' + text(delimiter=';').encode(),
    'a comment first': b'# made by hand; 2020\n' + text(delimiter=';').encode(),
    'Excel says in quotes': b'"sep=|"\n' + text(delimiter='|').encode(),
    'blanks before quotes': text([f'"{c}"' for c in CELLS], ', ').encode(),
    'decomposed': unicodedata.normalize('NFD', text()).encode(),
}


@pytest.mark.parametrize('content', ENCODED.values(), ids=ENCODED)
def test_a_table_of_any_usual_encoding_and_delimiter_is_read(tmp_path, content):
    assert read(written(tmp_path / 't.csv', content)) == dict(zip(COLUMNS, CELLS, strict=True))


@pytest.mark.parametrize('kind, said', [('Windows-1252', 'cp1252'), ('semicolons', "';'")])
def test_what_was_found_is_said(tmp_path, caplog, kind, said):
    read(written(tmp_path / 't.csv', ENCODED[kind]))
    assert said in caplog.text and 't.csv' in caplog.text


def test_what_windows_1252_would_read_wrong_is_refused_with_the_line(tmp_path):
    for number, content in {
        2: text().encode().splitlines()[0] + b'\nK\xc3\xb6ln,\xe4\n',
        1: 'пациент,сайт\n'.encode('cp1251'),
        3: b'case\na\n' + '患者患者\n'.encode('gbk'),
    }.items():
        path = written(tmp_path / 't.csv', content)
        with pytest.raises(TableError, match=rf't.csv, line {number}: .*save it as CSV in UTF-8'):
            table_lines(path, COLUMNS)


def test_letters_show_whether_the_guess_was_right(tmp_path, caplog):
    table_lines(written(tmp_path / 't.csv', 'case\nKöln\n'.encode('cp1252')), COLUMNS)
    assert 'is read as cp1252: are the letters ö right? If not, save it as' in caplog.text
    assert 'Köln' not in caplog.text  # it may be a name


def test_a_plain_table_needs_no_words(tmp_path, caplog):
    read(written(tmp_path / 't.csv', ENCODED['UTF-8']))
    assert caplog.text == ''


def test_a_formula_without_a_value_is_no_empty_cell(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(['case', 'label'])
    book.active.append(['a', '=UPPER("np")'])
    book.save(tmp_path / 't.xlsx')
    with pytest.raises(TableError, match='t.xlsx, line 2: a formula has no value'):
        table_lines(tmp_path / 't.xlsx', COLUMNS)


@pytest.fixture
def workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in (COLUMNS, (7, 3.0, 'a.nii.gz', None, None, 'np', 'x'), (None,) * 7):
        book.active.append(row)
    book.save(tmp_path / 't.xlsx')
    return tmp_path / 't.xlsx'


def test_the_first_sheet_of_a_workbook_is_read(workbook, caplog):
    row = read(workbook)
    assert (row['case'], row['patient'], row['label']) == ('7', '3', 'NP')
    assert "'Sheet'" in caplog.text


def test_without_openpyxl_a_workbook_is_refused_with_the_remedy(workbook, monkeypatch):
    monkeypatch.setitem(sys.modules, 'openpyxl', None)
    with pytest.raises(TableError, match=r't\.xlsx is an Excel workbook.*pip install openpyxl'):
        read(workbook)


NO_TABLES = {
    'old Excel': (b'\xd0\xcf\x11\xe0 and so on', 'old Excel workbook'),
    'a zip': (b'PK\x03\x04 and so on', 'Excel workbook'),
    'a picture': (b'\x89PNG\r\n\x1a\n\x81\x8d', 'no text: neither UTF-8'),
    'an open quote': (text(('a', 'b', '"c', '', '', '', '')).encode(), 'line 2: unexpected end'),
    'a field too few': (text(CELLS[:-1]).encode(), 'line 2: it has 6 fields, the header has 7'),
    'a field too many': (text((*CELLS, 'x')).encode(), 'line 2: it has 8 fields'),
    'only a header': (text().split('\r\n')[0].encode(), 'has no rows'),
    'nothing': (b'', 'has no rows'),
}


@pytest.mark.parametrize('content, said', NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_table_is_named_with_the_file(tmp_path, content, said):
    with pytest.raises(TableError, match=said) as error:
        read(written(tmp_path / 't.csv', content))
    assert 't.csv' in str(error.value) and error.value.remedy


def test_a_field_of_any_length_is_read(tmp_path):
    row = read(written(tmp_path / 't.csv', text((*CELLS[:-1], 'x' * 200_000)).encode()))
    assert len(row['site']) == 200_000


def test_blank_lines_are_left_out_and_the_others_keep_their_numbers(tmp_path):
    content = text() + ',,,,,,\r\n\r\n' + ',,,,,,x\r\n'
    with pytest.raises(TableError, match='line 5: case is empty'):
        read(written(tmp_path / 't.csv', content.encode()))


def test_lines_before_the_header_count(tmp_path):
    content = '\r\n# a comment\r\nsep=;\r\n' + text(('', *CELLS[1:]), ';')
    with pytest.raises(TableError, match='line 5: case is empty'):
        read(written(tmp_path / 't.csv', content.encode()))


@pytest.mark.parametrize('value', ['nan', 'NaN', 'None', 'null', '#N/A', '#REF!', '#NAME?', '<NA>'])
@pytest.mark.parametrize('place', [0, 1])
def test_what_programs_write_for_a_missing_name_is_no_name(tmp_path, value, place):
    cells = [value if k == place else cell for k, cell in enumerate(CELLS)]
    with pytest.raises(TableError, match=f'{COLUMNS[place]} is .* missing value'):
        read(written(tmp_path / 't.csv', text(cells).encode()))


@pytest.mark.parametrize('name', ['Nanni', 'Na', 'P#1', '#12', 'None1'])
def test_names_that_only_look_a_little_like_it_are_names(tmp_path, name):
    cells = (CELLS[0], name, *CELLS[2:])
    assert read(written(tmp_path / 't.csv', text(cells).encode()))['patient'] == name


def test_a_path_of_windows_is_refused_with_the_remedy(tmp_path):
    content = text(('a', 'b', 'scans\\a.nii'), columns=('case', 'patient', 'image'))
    with pytest.raises(TableError) as error:
        read_table(written(tmp_path / 't.csv', content.encode()), COLUMNS)
    assert 'write / for \\' in error.value.remedy


def test_a_number_that_excel_has_cut_is_no_name(workbook):
    book = openpyxl.load_workbook(workbook)
    book.active['B2'] = 1.2345678901234567e19
    book.save(workbook)
    with pytest.raises(TableError, match=r'line 2: of the number 1.23457e\+19 .* 15 digits'):
        read(workbook)


def test_a_name_that_excel_has_made_a_date_is_refused(workbook):
    book = openpyxl.load_workbook(workbook)
    book.active['B2'] = datetime(2026, 3, 1)  # 3-1 as it was typed
    book.save(workbook)
    with pytest.raises(TableError, match='line 2: patient is .2026-03-01 .* made of a name'):
        read(workbook)


def test_a_damaged_sheet_is_named_with_the_file(workbook):
    with zipfile.ZipFile(workbook) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(workbook, 'w') as book:
        for name, content in parts.items():
            book.writestr(name, content[: -9 if 'sheet1' in name else None])
    with pytest.raises(TableError, match=r't\.xlsx cannot be read as an Excel workbook'):
        read(workbook)


def test_columns_and_classes_count_in_any_letter_case(tmp_path):
    cells = ('a', 'b', 'c', '', '', ' covid–19', 'x')
    upper = [f' {column.upper()} ' for column in COLUMNS]
    assert read(written(tmp_path / 't.csv', text(cells, columns=upper).encode()))['label'] == (
        'COVID-19'
    )


@pytest.mark.parametrize('name', ['COVID', 'covid19', 'Covid_19', 'COVID-19', ' covid '])
def test_covid_is_known_by_its_usual_names(tmp_path, name):
    cells = ('a', 'b', 'c', '', '', name, 'x')
    assert read(written(tmp_path / 't.csv', text(cells).encode()))['label'] == 'COVID-19'


@pytest.mark.parametrize('delimiter', ',;')
def test_columns_of_masks_class_and_site_may_be_absent(tmp_path, delimiter):
    content = text(('a', 'b', 'c.nii.gz'), delimiter, columns=('Case', 'Patient', 'Image'))
    row = read(written(tmp_path / 't.csv', content.encode()))
    given = dict(case='a', patient='b', image='c.nii.gz')
    assert row == dict.fromkeys(COLUMNS, '') | given


@pytest.mark.parametrize(
    'columns, said',
    [
        (('case', 'image'), r"lacks the column \['patient'\]"),
        (('case', 'patient', 'image', 'infections'), "'infections' and none 'infection'"),
        (('case', 'patient', 'image', 'labels'), "'labels' and none 'label'"),
        (('case', 'patient', 'image', 'case'), r"the columns \['case'\] twice"),
        (('case', 'patient', 'image', 'causes'), "'causes' and none 'cause'"),
        (('case', 'patient', 'image', 'Serie'), "'Serie' and none 'series'"),
        (('case', 'patient', 'image', 'cause', 'Cause'), r"the columns \['cause'\] twice"),
    ],
)
def test_a_column_that_may_be_misspelt_is_refused_by_name(tmp_path, columns, said):
    content = text(('a',) * len(columns), columns=columns)
    with pytest.raises(TableError, match=said):
        read(written(tmp_path / 't.csv', content.encode()))


def test_cause_and_series_are_read_in_any_letter_case_and_without_blanks(tmp_path):
    columns = ('case', 'patient', 'image', 'Cause', ' SERIES ')
    cells = ('a', 'b', 'c.nii.gz', ' m.nii.gz ', ' 1.2.3\u00a0')
    row = read(written(tmp_path / 't.csv', text(cells, columns=columns).encode()))
    assert (row['cause'], row['series']) == ('m.nii.gz', '1.2.3')
    cells = (*cells[:3], ' ', '')
    row = read(written(tmp_path / 't.csv', text(cells, columns=columns).encode()))
    assert (row['cause'], row['series']) == ('', '')


def test_a_mask_of_the_cause_that_is_not_there_is_named(tmp_path):
    (tmp_path / 'c.nii.gz').touch()
    content = text(('a', 'b', 'c.nii.gz', 'no.nii'), columns=('case', 'patient', 'image', 'Cause'))
    with pytest.raises(TableError, match=r'line 2: cause .*no\.nii is not there'):
        read_table(written(tmp_path / 't.csv', content.encode()), COLUMNS)


def test_a_column_of_another_name_is_left_alone(tmp_path):
    content = text((*CELLS, '63'), columns=(*COLUMNS, 'age'))
    assert read(written(tmp_path / 't.csv', content.encode()))['age'] == '63'


def test_a_case_given_twice_is_named_with_its_lines_in_the_file(tmp_path):
    content = text() + '\r\n' + ','.join(CELLS) + '\r\n'
    with pytest.raises(TableError, match='line 4: case .* given twice, first in line 2'):
        case_rows(written(tmp_path / 't.csv', content.encode()), check_files=False)


@pytest.mark.parametrize('content', ENCODED.values(), ids=ENCODED)
def test_a_slice_table_is_read_in_the_same_forms(tmp_path, content):
    rows = read_table(written(tmp_path / 't.csv', content), COLUMNS[:3], check_files=False)
    assert rows[0]['case'] == 'Ärztin 1'


ALIKE = {
    'blank at the end': 'P03 ',
    'blank before': '\tP03',
    'no-break blank': 'P03\u00a0',
    'zero width': 'P\u200b03',
    'mark': '\ufeffP03',
    'full width': 'Ｐ０３',
    'a filler of Hangul': 'P03\u3164',
    'another filler': 'P\u115f03',
    'a control character': 'P03\x7f',
    'the end of a string': 'P03\0',
}


@pytest.mark.parametrize('name', ALIKE.values(), ids=ALIKE)
def test_a_name_has_one_spelling(name):
    assert identifier(name) == 'P03'


def test_composed_and_decomposed_letters_are_one():
    assert identifier('Mu\u0308ller') == identifier('M\u00fcller')


def test_a_folder_gives_names_in_one_spelling(tmp_path):
    (tmp_path / 'Mu\u0308ller.nii.gz').touch()
    ((row,), _) = case_rows(tmp_path)
    assert row['case'] == row['patient'] == 'M\u00fcller'


def test_names_that_differ_in_case_blanks_zeros_or_dashes_are_near_equal():
    names = ['P03', 'p03', 'P 03', 'P-3', 'P_003', 'P4', 'P30', 'Q03']
    assert near_equal(names) == [sorted(names[:5])]


@pytest.mark.parametrize(
    'one, other',
    [
        ('P03', 'P۰۳'),
        ('P03', 'P٠٣'),
        ('MIA', 'МІА'),
        ('S01', 'Ѕ01'),
        ('J1', 'Ј1'),
        ('Q1', 'Ԛ1'),
        ('W1', 'Ԝ1'),
        ('I1', 'Ӏ1'),
        ('i1', 'ı1'),
        ('Muller', 'Müller'),
        ('P', 'P\x00'),
    ],
)
def test_digits_of_other_scripts_look_alikes_and_accents_are_near_equal(one, other):
    assert near_equal([one, other]) == [sorted([one, other])]


def test_blanks_between_digits_do_not_count_either():
    assert near_equal(['12 345 678', '12345678']) == [['12 345 678', '12345678']]
    assert near_equal(['P 0 3', 'P03']) == [['P 0 3', 'P03']]
    assert near_equal(['1-2', '1 2', '12']) == [['1 2', '1-2'], ['1 2', '12']]


@pytest.mark.parametrize(
    'one, other',
    [('3', '3.0'), ('03', '3.0'), ('3', '3,00'), ('P03', 'Р03'), ('P03', 'Ρ3'), ('MAK1', 'МАК1')],
)
def test_numbers_of_spreadsheets_and_letters_that_look_alike_are_near_equal(one, other):
    assert near_equal([one, other]) == [sorted([one, other])]


@pytest.mark.parametrize(
    'one, other',
    [
        ('1-2', '12'),
        ('P10', 'P1'),
        ('a', 'b'),
        ('-', '_'),
        ('1.2', '1.20'),
        ('3.0', '30'),
    ],
)
def test_other_names_are_not(one, other):
    assert near_equal([one, other]) == []


def test_the_number_of_names_does_not_matter():
    assert near_equal(map(str, np.arange(2000))) == []
