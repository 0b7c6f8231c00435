"""Names of cases come from files and tables; they are no paths and no commands to a terminal."""

import io

import pytest
from rich.table import Table

from xaicovid_mm.utils.errors import DataError, user_errors
from xaicovid_mm.utils.names import case_folder
from xaicovid_mm.utils.printable import printable
from xaicovid_mm.utils.terminal import Console

EVIL = 'a\x1b[31mb\x07 [red]c[/red] [/x] :smile: \udce9 \u202e \x9b2J'
SEEN = r'a\x1b[31mb\x07 [red]c[/red] [/x] :smile: \udce9 \u202e \x9b2J'


@pytest.mark.parametrize(
    'name',
    ['', ' ', '.', '..', '...', '.a', '../a', 'a/../../b', '/etc', 'a\\b', 'a/', ' a', 'a ', 'a\n']
    + ['a\tb', 'a\0b', '\x1b[2J', '\x9b', '\u202ea', 'caf\udce9', 'x' * 201, 'ü' * 101]
    + ['cohort.html', 'cohort.json', 'Cohort.HTML'],
)
def test_a_name_that_is_no_folder_of_its_own_is_refused(name, tmp_path):
    with pytest.raises(DataError, match='rename it') as caught:
        case_folder(tmp_path, name)
    assert printable(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    'name', ['a', 'a..b', 'scan (1)', '[lung]', 'Müller', '患者', 'a%2F', 'x' * 200]
)
def test_any_other_name_stays_as_it_is(name, tmp_path):
    assert case_folder(tmp_path, name) == tmp_path / name
    assert printable(name) == name


def test_what_a_terminal_would_act_on_is_printed_as_text():
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    for thing, count in ((EVIL, 1), (table, 3)):
        console = Console(file=io.StringIO(), width=90)
        console.print(thing)
        assert console.file.getvalue().count(SEEN) == count
        console.file.getvalue().encode()


def test_an_error_is_printed_as_text(capsys):
    with pytest.raises(SystemExit), user_errors():
        raise DataError(f'{EVIL} is damaged')
    assert f'error: {SEEN} is damaged\n' in capsys.readouterr().err


def test_a_style_is_no_part_of_the_text():
    console = Console(file=io.StringIO(), force_terminal=True)
    console.print('warning: [b]', style='yellow')
    assert console.file.getvalue() == '\x1b[33mwarning: [b]\x1b[0m\n'
