"""Site and class predicted from the image outside the lungs."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.evaluation.site_audit import site_audit

SIDE = 24
LUNG = np.zeros((2, SIDE, SIDE), bool)
LUNG[:, 6:18, 6:18] = True


def store_of(root, site_of, patients=24, lesion=0.0, lung=LUNG):
    """Sites differ in noise; a COVID-19 lung is brighter by ``lesion``."""
    writer = StoreWriter(root, (SIDE, SIDE), 'display', {'kind': 'test'})
    for number in range(patients):
        label, site = number % 2 * 2, site_of(number)
        noise = np.random.default_rng(number).normal(0, 20 if site == 'b' else 5, LUNG.shape)
        image = (150 + noise - (90 - lesion * (label == 2)) * LUNG).clip(1, 255)
        writer.add_case(
            StoreCase(
                name=f'c{number}',
                patient=f'p{number}',
                site=site,
                image=image,
                label=label,
                lung=lung,
            )
        )
    writer.close()
    return SliceStore(root)


def told(table):
    columns = {column.header: list(column.cells) for column in table.columns}
    scores = dict(zip(columns['predicted'], map(float, columns['balanced accuracy']), strict=True))
    return scores, columns


def test_where_class_is_site_both_are_told_and_the_user_is_warned(tmp_path):
    table, warnings = site_audit(store_of(tmp_path, lambda n: 'ab'[n % 2]))
    scores, columns = told(table)
    assert scores == {'site': 1, 'class': 1} and columns['chance'] == ['0.50', '0.50']
    assert len(warnings) == 1 and 'without looking at the lungs' in warnings[0]


def test_where_class_visits_every_site_only_the_site_is_told(tmp_path):
    table, warnings = site_audit(store_of(tmp_path, lambda n: 'ab'[n // 2 % 2]))
    scores, _ = told(table)
    assert scores['site'] == 1 and scores['class'] < 0.7
    assert warnings == []


def test_a_lesion_in_the_lung_does_not_tell_the_class(tmp_path):
    table, warnings = site_audit(store_of(tmp_path, lambda n: 'ab'[n // 2 % 2], lesion=80))
    assert told(table)[0]['class'] < 0.7 and warnings == []


def test_without_lung_masks_the_lesion_does_and_the_user_is_told_why(tmp_path):
    store = store_of(tmp_path, lambda n: 'ab'[n // 2 % 2], lesion=80, lung=None)
    table, warnings = site_audit(store)
    assert told(table)[0]['class'] == 1
    assert any('24 of 24 patients have no lung mask' in text for text in warnings)


def test_few_patients_are_no_audit(tmp_path):
    table, warnings = site_audit(store_of(tmp_path, lambda n: 'ab'[n % 2], patients=8))
    assert told(table)[0] == {}
    assert [text.startswith('fewer than two') for text in warnings] == [True, True]


def test_the_test_set_of_a_split_is_never_opened(tmp_path, monkeypatch):
    store = store_of(tmp_path, lambda n: 'ab'[n % 2])
    held_out = [f'p{number}' for number in range(4)]
    write_split(store, 'd', {'unlabelled': [f'p{n}' for n in range(4, 24)], 'test': held_out})
    test_rows, show = set(store.rows('d', 'test').tolist()), store.display

    def spy(row, *args):
        if row in test_rows:
            pytest.fail(f'test row {row} was opened')
        return show(row, *args)

    monkeypatch.setattr(store, 'display', spy)
    table, _ = site_audit(store, 'd')
    assert told(table)[1]['recall (patients)'][0] == 'a 1.00 (10), b 1.00 (10)'
