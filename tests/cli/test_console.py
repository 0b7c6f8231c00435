"""The command ``xaicovid``: one name for all commands, in the words of the one who called."""

import importlib
import subprocess
import sys

import pytest

from xaicovid_mm import __version__
from xaicovid_mm.cli.console import COMMANDS, main


def output_of(capsys, *argv, prog='xaicovid'):
    try:
        main(argv, prog)
    except SystemExit as end:
        assert not end.code
    return capsys.readouterr().out


def test_help_has_one_line_for_each_command(capsys):
    lines = output_of(capsys, '--help').splitlines()
    assert lines[0] == 'usage: xaicovid COMMAND [options]'
    for name, (_, what) in COMMANDS.items():
        assert sum(line.split() == [name, *what.split()] for line in lines) == 1


@pytest.mark.parametrize('option', ['--help', '--version'])
def test_help_and_version_import_nothing_that_is_slow(option):
    code = (
        'import sys; from xaicovid_mm.cli.console import main; '
        f"main(['{option}']); "
        "sys.exit(sorted({'torch', 'mmengine', 'numpy', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_package(capsys):
    assert output_of(capsys, '--version') == f'xaicovid_mm {__version__}\n'


@pytest.mark.parametrize(
    'name, hint', [('trian', "did you mean 'train'?"), ('xyz', 'there are prepare, train, test')]
)
def test_an_unknown_command_is_refused_in_one_line_with_the_nearest(name, hint, capsys):
    with pytest.raises(SystemExit) as end:
        main([name])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count('\n') == 1
    assert said.startswith(f'error: xaicovid has no command {name!r}: ') and hint in said


@pytest.mark.parametrize('argv, said', [([], 'infer'), (['prepare'], 'give patients their roles')])
def test_without_a_command_the_help_comes_as_an_error(argv, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize('prog', ['xaicovid', 'python -m xaicovid_mm'])
@pytest.mark.parametrize('name', COMMANDS)
def test_the_help_of_a_command_shows_how_it_was_called(name, prog, capsys):
    shown = output_of(capsys, name, '--help', prog=prog)
    assert shown.startswith(f'usage: {prog} {name} ')
    assert f'\n{prog} {name} ' in shown  # its examples
    assert not any(f'tools/{module}.py' in shown for module, _ in COMMANDS.values())


@pytest.mark.parametrize('module', [module for module, _ in COMMANDS.values()])
def test_the_help_of_a_file_of_tools_shows_that_file(module, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(f'xaicovid_mm.cli.{module}').main(['--help'])
    shown = capsys.readouterr().out
    assert shown.startswith(f'usage: tools/{module}.py ')
    assert f'\npython tools/{module}.py ' in shown and 'xaicovid ' not in shown


def test_a_command_of_a_command_shows_how_it_was_called(capsys):
    shown = output_of(capsys, 'prepare', 'phantom', '--help')
    assert shown.startswith('usage: xaicovid prepare phantom ')
    assert '\nxaicovid prepare phantom data/phantom' in shown and 'tools/' not in shown
