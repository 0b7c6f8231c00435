"""What tests of the data preparation share."""

import runpy

import pytest


@pytest.fixture(scope='session')
def tool():
    """The command ``tools/prepare_data.py``, called with its arguments."""
    return runpy.run_path('tools/prepare_data.py')['main']
