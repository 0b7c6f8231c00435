"""The page and the tables that list all cases."""

import csv
import json

import pytest

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.apis.outputs.cohort import figures, write_cohort
from xaicovid_mm.data_prep.find_cases import find_cases

PHANTOMS = dict(phantom=True, patients=3, scans=3, slices=60, sites=1, ranges={})


@pytest.fixture
def run(deployed, scan, tmp_path):
    """A scan, one with a hostile name and one that is none; its outcomes and folder."""
    deployed.training = dict(PHANTOMS, ranges=dict(spacing_z_mm=[1, 2]))
    hostile = scan.with_name('=1+1"><img src=x onerror=alert(1)>.nii.gz')
    hostile.write_bytes(scan.read_bytes())
    scan.with_name('bad.nii.gz').write_text('no scan')
    said = []
    outcomes = infer_all(
        CTInferencer(deployed, explain=1),
        find_cases([tmp_path]),
        tmp_path / 'out',
        done=lambda outcome: said.append(outcome.case),
    )
    assert said == [outcome.case for outcome in outcomes]
    return outcomes, tmp_path / 'out'


def test_the_table_has_all_figures_of_every_case(run):
    outcomes, folder = run
    with open(folder / 'cohort.csv', newline='') as file:
        rows = {row['case']: row for row in csv.DictReader(file)}
    prediction = json.loads((folder / 'scan' / 'prediction.json').read_text())
    row = rows['scan']
    assert row['class_predicted'] == prediction['patient']['label']
    assert float(row['probability_CAP']) == prediction['patient']['probabilities']['CAP']
    assert float(row['right_infection_ml']) == prediction['burden']['right']['infection_ml']
    assert int(row['slices_with_lung']) == len(prediction['slices'])
    assert row['caam_auc_against_mask'] == str(prediction['trust']['caam']['auc'])
    assert float(row['noise_hu']) == prediction['facts']['noise_hu']
    assert float(row['slices_lung_ml']) == prediction['facts']['lung_ml'] and 'lung_ml' not in row
    assert row['trained_on_phantoms'] == 'True' and 'trained on phantoms' in row['flags']
    assert rows['bad']['error'] and not rows['bad']['class_predicted']
    assert set(figures(outcomes[-1])) == set(row)


def test_a_name_is_neither_markup_nor_a_formula(run):
    _, folder = run
    assert (folder / 'cohort.csv').read_text().count('\n') == 4
    assert "'=1+1" in (folder / 'cohort.csv').read_text()
    for page in (folder / 'cohort.html', *folder.glob('=1*/report.html')):
        text = page.read_text()
        assert '<img' not in text and '=1+1&#34;&gt;&lt;img' in text


def test_the_banner_is_on_every_page_and_in_the_json(run):
    _, folder = run
    pages = [folder / 'cohort.html', *folder.glob('*/report.html')]
    assert len(pages) == 3
    for page in pages:
        banner = page.read_text().split('class="banner"')[1].split('</div>')[0]
        assert 'trained on phantoms' in banner and 'unlike the training data' in banner
    assert '(2 of 3 cases)' in (folder / 'cohort.html').read_text()
    report = (folder / 'scan' / 'report.html').read_text()
    assert 'slice distance, mm: 8, trained on 1 to 2' in report
    for record in json.loads((folder / 'cohort.json').read_text()):
        if record['prediction']:
            codes = [flag['code'] for flag in record['prediction']['flags']]
            assert codes[:2] == ['trained on phantoms', 'unlike the training data']
            assert record['prediction']['model']['training']['phantom'] is True


def test_a_run_without_a_prediction_is_a_list_too(run, tmp_path):
    outcomes, _ = run
    write_cohort(tmp_path, [outcome for outcome in outcomes if outcome.error])
    assert '1 case, 1 not predicted' in (tmp_path / 'cohort.html').read_text()
    assert (tmp_path / 'cohort.csv').read_text().startswith('case,error')
