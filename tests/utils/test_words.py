"""Numbers in sentences."""

from xaicovid_mm.utils.words import counted


def test_one_thing_has_no_s():
    assert [counted(n, 'file') for n in (0, 1, 2)] == ['0 files', '1 file', '2 files']
