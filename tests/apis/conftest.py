import pytest
from planted_scan import write_planted_series
from tiny_deployed import tiny_model, tiny_network, write_scan

from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES


@pytest.fixture
def model():
    return tiny_network()


@pytest.fixture
def deployed(model):
    return tiny_model(model)


@pytest.fixture(scope='session')
def chest():
    return make_case(2, SITES[0], [3])


@pytest.fixture
def scan(chest, tmp_path):
    return write_scan(chest, tmp_path)


@pytest.fixture
def dicom_scan(chest, tmp_path):
    """The chest as a DICOM series whose headers and files name a patient."""
    folder = tmp_path / 'Planted_Name_19330303'
    folder.mkdir()
    write_planted_series(folder, chest.hu, chest.spacing)
    return folder
