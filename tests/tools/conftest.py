"""The tiny store, as the commands find it."""

import logging

import pytest
from commands import configs_of


@pytest.fixture(autouse=True)
def log():
    """Let the next test log: a benchmark silences its whole process."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def store(tiny_store):
    """Configs read the tiny store."""
    with configs_of(tiny_store):
        yield tiny_store
