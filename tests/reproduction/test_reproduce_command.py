"""The command does what is missing, says what failed, and leaves a report."""

import runpy

import pytest

from xaicovid_mm.cli import reproduce_run
from xaicovid_mm.engine.checkpoint import POINTER
from xaicovid_mm.reproduction import execution


@pytest.fixture
def command(setting, runs, tmp_path, monkeypatch, capsys):
    """Run ``tools/reproduce.py`` over the short configs; returns what it printed."""
    main = runpy.run_path('tools/reproduce.py')['main']
    monkeypatch.setattr(reproduce_run, 'PROJECT', setting.project)

    def call(*arguments):
        where = ['--store', str(setting.store), '--work-dir', str(setting.root)]
        main([*where, '--out', str(tmp_path / 'report'), *arguments])
        return ' '.join(capsys.readouterr().out.split())

    call.names = vars(reproduce_run)
    return call


def test_what_is_done_is_not_done_again(command, monkeypatch, tmp_path):
    monkeypatch.setattr(execution, '_call', lambda *_: pytest.fail('it was started again'))
    said = command('--rows', 'ours_semi', 'ours_sup', '--seeds', '1')
    assert '2 runs, 0 to do' in said
    assert (tmp_path / 'report/report.md').is_file()


def test_what_fails_is_named_and_the_report_is_written(command, monkeypatch, tmp_path, capsys):
    def broken(*_):
        raise execution.RunError('the disk is full')

    monkeypatch.setattr(execution, '_call', broken)
    with pytest.raises(SystemExit) as ended:
        command('--rows', 'ours_semi', 'ours_sup', '--seeds', '3', '--jobs', '2')
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert 'ours_sup, seed 2: failed, the disk is full' in said
    assert '2 of 6 runs are done' in (tmp_path / 'report/report.md').read_text()


def test_the_bar_counts_epochs(command, tmp_path, monkeypatch, capsys):
    """Two runs of two epochs each, both stopped after one."""

    def half(run, threads):
        run.folder.mkdir(parents=True)
        (run.folder / POINTER).write_text('epoch_1.pth')
        raise execution.RunError('stopped')

    monkeypatch.setitem(command.names, 'execute', half)
    with pytest.raises(SystemExit):
        command('--rows', 'ours_semi', 'ours_sup', '--seeds', '1', '--work-dir', str(tmp_path))
    assert '2/4' in capsys.readouterr().out


def test_ctrl_c_says_how_it_goes_on(command, monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.names, 'wait', interrupted)
    monkeypatch.setitem(command.names, 'execute', lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        command('--rows', 'ours_sup', '--seeds', '3')
    assert ended.value.code == 130
    assert 'the same command goes on' in capsys.readouterr().out
    assert not (tmp_path / 'report/report.md').exists()


def test_a_full_disk_is_a_run_that_failed_and_not_the_end(command, monkeypatch, tmp_path, capsys):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setitem(command.names, 'execute', full)
    with pytest.raises(SystemExit) as ended:
        command('--rows', 'ours_semi', 'ours_sup', '--seeds', '2')
    assert ended.value.code == 1
    assert 'ours_semi, seed 1: failed, [Errno 28] No space' in capsys.readouterr().out
    assert (tmp_path / 'report/report.md').is_file()


@pytest.mark.parametrize(
    'wrong', [('--seeds', '0'), ('--jobs', '-1'), ('--gpus', '0'), ('--tflops', '0')]
)
def test_numbers_that_make_no_sense_are_refused(command, capsys, wrong):
    with pytest.raises(SystemExit):
        command('--rows', 'ours_sup', *wrong)
    assert f'argument {wrong[0]}: ' in capsys.readouterr().err


def test_a_single_seed_leaves_no_report(command, tmp_path):
    command('--rows', 'ours_sup', '--only-seed', '0')
    assert not (tmp_path / 'report/report.md').exists()


def test_the_paper_scale_is_planned_and_not_run(command, monkeypatch, tmp_path):
    monkeypatch.setattr(execution, '_call', lambda *_: pytest.fail('it was started'))
    said = command('--rows', 'ours_sup', '--scale', 'paper', '--seeds', '2', '--gpus', '4')
    assert 'GPU hours' in said and '2 runs' in said
    assert (
        tmp_path / 'report/jobs.txt'
    ).read_text() == 'ours_sup 0 default all\nours_sup 1 default all\n'


def test_a_budget_makes_a_report_of_label_efficiency(command, tmp_path, setting):
    words = ('--rows', 'ours_sup', '--budget', '2', 'all', '--recipe', 'paper')
    said = command(*words, '--seeds', '1')
    assert 'label_efficiency.md' in ''.join(said.split())  # a long path is wrapped
    text = (tmp_path / 'report/label_efficiency.md').read_text()
    assert '2 annotated slices' in text and '6 annotated slices (all)' in text
    assert (setting.store / 'splits/default_budget2.npy').is_file()


def test_a_report_of_no_finished_run_is_refused(command, tmp_path, capsys):
    elsewhere = ('--work-dir', str(tmp_path / 'elsewhere'))
    with pytest.raises(SystemExit) as ended:
        command('--rows', 'ours_sup', '--seeds', '2', '--report-only', *elsewhere)
    assert ended.value.code == 2
    assert '--report-only: none of 2 runs is done in' in capsys.readouterr().err
    assert not (tmp_path / 'report').exists() and not (tmp_path / 'elsewhere').exists()


@pytest.mark.parametrize(
    'wrong, says',
    [
        (('--budget', '7', '--recipe', 'paper'), 'a budget of 7 annotated slices'),
        (('--budget', '2'), "no recipe 'recommended'"),
        (('--choices', 'other'), "--choices ['other'] are not among --split ['default']"),
        (('--choices', 'default'), 'leave no --split that reports'),
    ],
)
def test_budgets_and_choices_that_cannot_be_are_refused(command, capsys, wrong, says):
    with pytest.raises(SystemExit) as ended:
        command('--rows', 'ours_sup', *wrong)
    captured = capsys.readouterr()
    assert says in ' '.join((captured.out + captured.err + str(ended.value)).split())


@pytest.mark.parametrize('text', ['0', '-3', 'many'])
def test_a_budget_is_a_number_or_all(command, capsys, text):
    with pytest.raises(SystemExit):
        command('--budget', text)
    assert 'argument --budget' in capsys.readouterr().err


def test_the_plan_says_how_long_it_takes(command, monkeypatch):
    monkeypatch.setitem(command.names, 'execute', lambda *_: None)
    said = command('--rows', 'ours_sup', '--seeds', '3')
    assert '3 runs, 2 to do' in said and 'hours (as long as the runs that are done)' in said


def test_a_row_that_does_not_exist_ends_in_one_line(command, capsys):
    with pytest.raises(SystemExit):
        command('--rows', 'lenet')
    assert "--rows ['lenet'] are not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    'wrong, says',
    [
        (('--store', 'nowhere'), 'is no slice store: make one with xaicovid prepare'),
        (('--split', 'nothing'), 'make the split with xaicovid prepare split'),
        (('--rows', 'segnot'), 'choose of vgg16, resnet18'),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(command, capsys, wrong, says):
    with pytest.raises(SystemExit) as ended:
        command(*wrong)
    assert ended.value.code
    captured = capsys.readouterr()
    assert says in ' '.join((captured.out + captured.err + str(ended.value)).split())
