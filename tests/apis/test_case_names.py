"""Scans with names that are no names: none writes outside its folder, the others are predicted."""

import json
import os
import runpy
import shutil

import pytest
from tiny_model import CONFIG

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.apis.model_folder.files import write_model_folder
from xaicovid_mm.data_prep.case_table import case_rows
from xaicovid_mm.utils.errors import DataError, TableError

UNFIT = ['..', '.', '', '../x', '/etc/x', 'a/b', 'cohort.html', 'cohort.csv', 'a\nb', '\x1b[2J']
UNFIT += ['b\udce9', 'x' * 300, '.partial.a']


def test_an_unfit_name_is_an_error_of_its_case_alone(deployed, scan, tmp_path):
    (tmp_path / 'X' / 'kept').mkdir(parents=True)
    out = tmp_path / 'X' / 'out'
    outcomes = infer_all(
        CTInferencer(deployed, explain=0), dict.fromkeys([*UNFIT, '[red]good'], scan), out
    )
    assert [bool(outcome.error) for outcome in outcomes] == [True] * len(UNFIT) + [False]
    assert all('rename it' in outcome.error for outcome in outcomes[:-1])
    assert sorted(path.name for path in out.iterdir()) == [
        '[red]good',
        'cohort.csv',
        'cohort.html',
        'cohort.json',
    ]
    assert (tmp_path / 'X' / 'kept').is_dir()
    assert json.loads((out / 'cohort.json').read_text())[-1]['case'] == '[red]good'
    page = (out / 'cohort.html').read_text()
    assert '\x1b' not in page and r'\x1b[2J' in page


@pytest.mark.parametrize('last', ['..', '.hidden'])
def test_an_output_folder_that_no_case_can_have_is_refused(deployed, scan, tmp_path, last):
    (tmp_path / 'X' / 'out').mkdir(parents=True)
    (tmp_path / 'X' / 'prediction.json').write_text('{}')  # as if X were a prediction
    with pytest.raises(DataError, match='begins with a dot'):
        CTInferencer(deployed)(scan, f'{tmp_path}/X/out/{last}')
    assert (tmp_path / 'X' / 'prediction.json').is_file()


@pytest.mark.parametrize('name', ['..nii.gz', '...nii.gz', b'caf\xe9.nii.gz', 'a\x1b[31m.nii.gz'])
def test_a_file_whose_name_is_unfit_is_refused_in_words(served, scan, tmp_path, name, capsys):
    folder = tmp_path / 'X'
    (folder / 'out').mkdir(parents=True)
    unfit = os.fsencode(folder) + b'/' + os.fsencode(name)
    shutil.copyfile(scan, unfit)
    main = runpy.run_path('tools/infer.py')['main']
    with pytest.raises(SystemExit) as stop:
        main([os.fsdecode(unfit), '--model', str(served), '--out', str(folder / 'out')])
    said = capsys.readouterr().err
    assert (stop.value.code, 'rename it' in said) == (1, True), said
    assert '\x1b' not in said
    assert scan.is_file() and os.path.exists(unfit)
    assert sorted(os.listdir(folder / 'out')) == ['cohort.csv', 'cohort.html', 'cohort.json']


def test_a_folder_of_scans_with_an_unfit_name_makes_no_table(scan, tmp_path):
    (tmp_path / 'scans').mkdir()
    shutil.copyfile(scan, tmp_path / 'scans' / 'cohort.html.nii.gz')
    with pytest.raises(TableError, match='reserved'):
        case_rows(tmp_path / 'scans')


@pytest.fixture
def served(deployed, tmp_path):
    description = dict(
        model=CONFIG,
        classes=deployed.classes,
        explanation={},
        preprocessing=deployed.preprocessing,
        calibration=dict(temperature=1.0, aggregation='mean'),
        provenance={},
    )
    write_model_folder(tmp_path / 'served', deployed.model, description=description)
    return tmp_path / 'served'
