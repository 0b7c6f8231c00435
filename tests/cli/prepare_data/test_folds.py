"""`xaicovid prepare folds`, as a user types it."""

import pytest

from xaicovid_mm.cli.prepare_data.command import main
from xaicovid_mm.data_prep.splits.record import known_leaks, read_record
from xaicovid_mm.data_prep.store.reader import SliceStore


@pytest.fixture
def root(tiny_store, tmp_path):
    """The tiny store without splits, by links."""
    root = tmp_path / 'store'
    root.mkdir()
    for path in tiny_store.iterdir():
        if path.name != 'splits':
            (root / path.name).symlink_to(path)
    return root


def test_one_command_writes_checked_folds_in_which_everybody_validates_once(root, capsys):
    main(['folds', str(root), '--folds', '3', '--name', 'cv', '--allow-leaks'])
    store, seen = SliceStore(root), []
    for number in range(3):
        seen += store.rows(f'cv{number}', 'val').tolist()
        assert known_leaks(store, f'cv{number}') is not None
        assert read_record(store, f'cv{number}')['parameters']['fold'] == [number, 3]
        assert len(store.rows(f'cv{number}', 'labelled')) == len(store.rows(f'cv{number}', 'val'))
    assert sorted(seen) == list(range(len(store)))


def test_too_many_folds_end_in_one_line(root, capsys):
    with pytest.raises(SystemExit):
        main(['folds', str(root), '--folds', '7'])
    assert 'class NP has 6 patients for 7 folds' in capsys.readouterr().err
