"""The page of failures, from a test of a short training."""

import json

import pytest
from commands import SHORT, configs_of, run

pytestmark = pytest.mark.usefixtures('store')
CONFIG = 'configs/quick/supervised_vgg.py'
OPTIONS = ['train_cfg.max_epochs=1', *SHORT]


@pytest.fixture(scope='module')
def trained(tiny_store, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    with configs_of(tiny_store):
        run('train', CONFIG, '--work-dir', work_dir, '--cfg-options', *OPTIONS)
        run('test', CONFIG, work_dir / 'epoch_1.pth')
    return work_dir


def test_the_page_holds_tables_worst_cases_and_strips(trained, tmp_path):
    checkpoint, tested = trained / 'epoch_1.pth', trained / 'test_test'
    out = tmp_path / 'new' / 'page'
    command = ['--config', CONFIG, '--checkpoint', checkpoint, '--num', 2, '--out', out]
    run('analysis_tools/failures', tested, *command)
    text = (out / 'failures.md').read_text()
    found = json.loads((out / 'failures.json').read_text())
    assert '## By site' in text and '## By lung in pixels' in text and '(no interval), n = ' in text
    assert [f'| {case["case"]} |' in text for case in found['worst']] == [True, True]
    assert (out / 'failures.png').stat().st_size > 5000 and '![' in text


def test_the_report_of_the_test_has_confidence_referral_and_sites(trained):
    report = json.loads((trained / 'test_test' / 'report.json').read_text())
    assert report['confidence']['masks']['number'] == 3
    assert 0 <= report['referral']['missed_mask']['aurc'] <= 1
    assert report['confidence']['classes']['slices'].keys() >= {'ace_before', 'ace_after'}


def test_without_a_store_the_rows_alone_make_the_page(trained, tmp_path, capsys):
    run('analysis_tools/failures', trained / 'test_test', '--out', tmp_path)
    text = (tmp_path / 'failures.md').read_text()
    assert '## By site' in text and '## By lung' not in text and '![' not in text
    assert 'failures.md' in capsys.readouterr().out


def test_a_config_without_its_checkpoint_is_refused(trained, capsys):
    with pytest.raises(SystemExit):
        run('analysis_tools/failures', trained / 'test_test', '--config', CONFIG)
    assert 'strips need both --config and --checkpoint' in capsys.readouterr().err
