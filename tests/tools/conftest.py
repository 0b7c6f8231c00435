"""The tiny store, as the commands find it."""

import pytest
from commands import configs_of


@pytest.fixture
def store(tiny_store):
    """Configs read the tiny store."""
    with configs_of(tiny_store):
        yield tiny_store
