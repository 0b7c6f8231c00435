import pytest
import toy


@pytest.fixture(scope='session')
def whole_run(tmp_path_factory):
    """The work dir of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp('whole')
    assert toy.in_child(toy.train, folder) == 0
    return folder
