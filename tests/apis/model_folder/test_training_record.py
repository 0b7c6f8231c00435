"""What a model was trained on, and which scans are unlike it."""

import numpy as np
import pytest
from mmengine import Config

from xaicovid_mm.apis.model_folder.allowed import description
from xaicovid_mm.apis.model_folder.check import check_description
from xaicovid_mm.apis.model_folder.deployed_model import calibration_fault, measured_maps
from xaicovid_mm.apis.model_folder.description import chosen_by_the_tested
from xaicovid_mm.apis.model_folder.training_record import (
    TITLES,
    outside_ranges,
    scan_facts,
    some,
    training_record,
)
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter


def test_facts_are_those_of_the_lungs():
    rng = np.random.default_rng(0)
    hu = rng.normal(0, 200, (6, 40, 40))
    lung = np.zeros(hu.shape, bool)
    lung[:, 5:35, 5:35] = True
    slope = np.linspace(-900, -700, 40)  # even slopes are no noise
    hu[lung] = (slope + rng.normal(0, 20, hu.shape))[lung]
    facts = scan_facts((5, 0.7, 0.8), hu, lung, lung_ml=2700.0)
    assert facts['lung_ml'] == 2700
    assert (facts['spacing_z_mm'], facts['spacing_x_mm']) == (5, 0.8)
    assert facts['noise_hu'] == pytest.approx(20, rel=0.1)
    assert facts['hu_p50'] == pytest.approx(-800, abs=8)
    assert facts['hu_p10'] < facts['hu_p50'] < facts['hu_p90']


def test_a_scan_without_lungs_or_hu_has_fewer_facts():
    assert set(scan_facts((5, 1, 1))) == {'spacing_z_mm', 'spacing_y_mm', 'spacing_x_mm'}
    lung = np.ones((1, 4, 4), bool)
    assert 'hu_p50' not in scan_facts((5, 1, 1), None, lung, 1)
    assert set(scan_facts((5, 1, 1), np.zeros((1, 4, 4)), lung, 1)) == set(TITLES)


@pytest.mark.parametrize('number, measured', [(1, 1), (16, 16), (17, 9), (300, 16)])
def test_few_slices_of_a_long_scan_are_measured(number, measured):
    assert len(range(number)[some(number)]) == measured


@pytest.mark.parametrize(
    'value, said',
    [
        (5.0, ''),
        (10.4, ''),  # within a quarter of the range beyond it
        (11.4, 'slice distance, mm: 11.4, trained on 5 to 10'),
        (3.7, 'slice distance, mm: 3.7, trained on 5 to 10'),
        (1234.56, 'slice distance, mm: 1235, trained on 5 to 10'),
        (0.70312, 'slice distance, mm: 0.703, trained on 5 to 10'),
    ],
)
def test_a_value_beyond_the_range_is_told_with_both(value, said):
    record = dict(ranges=dict(spacing_z_mm=[5, 10], noise_hu=[1, 2]))
    assert outside_ranges(record, dict(spacing_z_mm=value)) == ([said] if said else [])


def test_a_range_of_one_value_allows_rounding_only():
    record = dict(ranges=dict(hu_p50=[-800, -800]))
    assert outside_ranges(record, dict(hu_p50=-830)) == []
    assert len(outside_ranges(record, dict(hu_p50=-850))) == 1


@pytest.fixture
def store(tmp_path):
    """A store of 6 patients; the lungs of number k have k + 1 planes of 100 pixels."""
    writer = StoreWriter(
        tmp_path / 'store', size=(16, 16), intensity='hu', parameters=dict(kind='phantom')
    )
    for k in range(6):
        image = np.random.default_rng(k).normal(-800, 10, (k + 1, 16, 16))
        lung = np.zeros(image.shape, bool)
        lung[:, 3:13, 3:13] = True
        writer.add_case(
            StoreCase(
                name=f'c{k}',
                patient=f'secret{k}',
                site=f'hospital{k % 2}',
                image=image,
                label=k % 3,
                lung=lung,
                infection=lung & False,
                spacing_mm=(10, 2, 2),
                affine=np.diag([-0.5, -0.5, 5.0, 1]),
            )
        )
    writer.close()
    writer.release()
    return tmp_path / 'store'


def config(store, roles):
    dataset = dict(store=str(store), split='s', roles=roles)
    return Config(dict(train_dataloader=dict(dataset=dataset)))


def test_the_record_counts_the_training_patients_and_names_none(store):
    roles = np.repeat([1, 1, 2, 3, 4, 2], np.arange(1, 7)).astype(np.uint8)
    (store / 'splits').mkdir(exist_ok=True)
    np.save(store / 'splits' / 's.npy', roles)
    record = training_record(config(store, ['labelled', 'unlabelled']))
    assert (record['patients'], record['scans'], record['sites']) == (4, 4, 2)
    assert record['slices'] == 1 + 2 + 3 + 6 and record['phantom'] is True
    assert record['ranges']['lung_ml'] == [100 * 0.04, 600 * 0.04]
    assert record['ranges']['spacing_z_mm'] == [5, 5]  # of the scans, not of the stored slices
    assert record['ranges']['noise_hu'][1] == pytest.approx(10, rel=0.5)
    assert 'secret' not in str(record) and 'hospital' not in str(record)
    kind = description()['properties']['training']
    assert set(record) == set(kind['properties'])


def test_a_folder_may_hold_no_other_record():
    def described(**training):
        return dict(format='', version=1, weights_sha256='0' * 64, model=MODEL, training=training)

    MODEL = dict(type='MultiTaskModel')
    check_description(described(phantom=True, ranges={}))
    for wrong in (dict(phantom='<b>', ranges={}), dict(phantom=True, ranges=dict(x=[0, 1]))):
        with pytest.raises(ValueError, match='training'):
            check_description(described(**wrong))


@pytest.mark.parametrize(
    'calibration, said, harms',
    [
        (dict(calibrated=False, reason='4 patients'), '4 patients', False),
        (dict(calibrated=True), 'was not measured', False),
        (dict(calibrated=True, errors=(0.05, 0.09)), 'does harm', True),
        (dict(calibrated=True, errors=(0.3, 0.2)), 'not enough', False),
        (dict(calibrated=True, errors=(0.2, 0.05)), '', False),
    ],
)
def test_only_a_measured_and_good_temperature_is_called_calibrated(calibration, said, harms):
    calibration['aggregation'] = 'mean'
    if errors := calibration.pop('errors', None):
        used = dict(ece_before=errors[0], ece_after=errors[1])
        calibration['patients'] = dict(number=12, mean=used)
    fault, harmful = calibration_fault(calibration)
    assert harmful is harms and (said in fault if said else fault == '')


def test_what_maps_were_worth_is_read_from_the_validation_scores():
    auc = dict(value=0.7, low=0.6, high=0.8, patients=9)
    scores = {
        'explain/caam/infection_auc_of_true_class_patient_mean': auc,
        'explain/class_map/infection_auc_of_true_class_patient_mean': dict(value=0.4),
        'explain/caam/infection_average_precision_of_true_class_patient_mean': dict(value=0.1),
        'auc_macro_patient': dict(value=0.9),
    }
    found = measured_maps(dict(validation=dict(scores=scores)))
    assert found == dict(caam=auc, cam=dict(value=0.4, low=None, high=None, patients=None))
    assert measured_maps({}) == {}
    with pytest.raises(ValueError, match=r'lies in \[0, 1\]'):
        measured_maps(dict(validation=dict(scores={next(iter(scores)): dict(value=7)})))


@pytest.mark.parametrize(
    'threshold, no_temperature, refer_from, chosen',
    [
        (0.5, '9 patients, at least 10 are needed', None, []),
        (0.4, '9 patients, at least 10 are needed', None, ['the threshold of the infection']),
        (0.5, '', 0.3, ['the temperature', 'the referral threshold']),
    ],
)
def test_the_card_names_only_what_the_validation_patients_chose(
    threshold, no_temperature, refer_from, chosen
):
    said = dict(
        threshold=threshold,
        calibration=dict(calibrated=False, slices=dict(reason=no_temperature)),
        referral=dict(missed_mask=dict(threshold=refer_from)),
    )
    assert chosen_by_the_tested(said) == chosen
