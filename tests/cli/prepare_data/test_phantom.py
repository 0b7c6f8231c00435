"""`prepare_data.py phantom` does not write over what it did not make."""

import runpy

import numpy as np
import pytest

from xaicovid_mm.data_prep.phantom import write as phantom
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Run the command on ``tmp_path``, see that it fails and leaves all files, give its error."""
    monkeypatch.setattr(phantom, '_write_case', None)  # it would be slow

    def run(*options):
        before = {p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()}
        with pytest.raises(SystemExit) as stop:
            main = runpy.run_path('tools/prepare_data.py')['main']
            main(['phantom', str(tmp_path), '--patients-per-class', '9', *options])
        after = {p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()}
        assert stop.value.code == 2 and after == before
        return ' '.join(capsys.readouterr().err.split())

    return run


def store_of(kind, root):
    writer = StoreWriter(root, (8, 8), 'hu', dict(kind=kind))
    image = np.arange(128, dtype=np.int16).reshape(2, 8, 8)
    for label, patient in enumerate(('np000', 'cap000', 'covid000')):
        infection = image > 99
        writer.add_case(
            StoreCase(
                name=f'{patient}_0',
                patient=patient,
                site='a',
                image=image,
                label=label,
                infection=infection,
            )
        )
    writer.close()
    return SliceStore(root)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16', 'cp1252'])
def test_a_table_of_the_user_stays_and_another_folder_is_asked_for(refused, tmp_path, encoding):
    table = tmp_path / 'cases.csv'
    table.write_text('case,patient,image,site\nm\xfcller,p1,/x.nii.gz,a\n', encoding=encoding)
    message = refused()
    assert str(table) in message and 'name another folder' in message


def test_a_store_of_other_scans_is_not_made_again(refused, tmp_path):
    store_of('volumes', tmp_path / 'store')
    message = refused()
    assert f'{tmp_path}/store is a store of volumes' in message and 'another folder' in message


@pytest.mark.parametrize('made', [dict(seed=0), dict(file='mine.json')])
def test_a_split_made_otherwise_is_not_made_again(refused, tmp_path, made):
    patients = dict(labelled=['np000', 'cap000'], test=['covid000'])
    write_split(store_of('phantom', tmp_path / 'store'), 'default', patients, parameters=made)
    message = refused('--seed', '1')
    assert str(made) in message and "{'seed': 1}" in message and 'another folder' in message


def test_the_same_phantom_can_be_written_again_and_another_not(tmp_path):
    """Also with more patients or fewer sites: their split would be another one."""
    phantom.write_phantom(tmp_path, patients_per_class=1, sites=2)
    table = (tmp_path / 'cases.csv').read_bytes()
    phantom.write_phantom(tmp_path, patients_per_class=1, sites=2)
    assert (tmp_path / 'cases.csv').read_bytes() == table
    for other in (dict(patients_per_class=2, sites=2), dict(patients_per_class=1, sites=1)):
        with pytest.raises(phantom.TableError, match='lists other cases'):
            phantom.write_phantom(tmp_path, **other)
    assert (tmp_path / 'cases.csv').read_bytes() == table
