"""`prepare_data.py split` and `info`, as a user types them."""

import json
import runpy

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xaicovid_mm.data_prep.splits.record import known_leaks
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter

PATIENTS = 30


@pytest.fixture
def run():
    main = runpy.run_path('tools/prepare_data.py')['main']
    return lambda *args: main([str(a) for a in args])


@pytest.fixture
def root(tmp_path):
    return store_of(tmp_path / 'store', 96)


def store_of(root, side):
    """30 patients of three classes; the last is a copy of the first."""
    writer = StoreWriter(root, (side, side), 'hu', {'kind': 'test'})
    for number in range(PATIENTS):
        rng = np.random.default_rng(number % (PATIENTS - 1))
        image = 900 * gaussian_filter(rng.normal(size=(2, side, side)), (0, 1, 1)) - 600
        writer.add_case(
            StoreCase(
                name=f'c{number}',
                patient=f'p{number}',
                site='ab'[number // 3 % 2],
                image=image,
                label=number % 3,
            )
        )
    writer.close()
    return root


def split_file(path, **patients):
    path.write_text(json.dumps(patients))
    return path


@pytest.fixture
def leaking(tmp_path):
    return split_file(tmp_path / 's.json', labelled=['p0', 'p1'], test=['p29', 'p2'])


def test_a_split_that_leaks_fails_names_the_cases_and_is_written_as_leaking(
    run, root, leaking, capsys
):
    with pytest.raises(SystemExit) as stop:
        run('split', root, '--name', 'mine', '--file', leaking)
    shown = capsys.readouterr()
    assert stop.value.code == 2 and 'split mine' in shown.err and '--allow-leaks' in shown.err
    assert 'c29 (test) and case c0 (training)' in ' '.join(shown.out.split())
    assert [leak['count'] for leak in known_leaks(SliceStore(root), 'mine')] == [2]


def test_leaks_can_be_allowed_and_stay_on_record(run, root, leaking, capsys):
    run('split', root, '--name', 'mine', '--file', leaking, '--allow-leaks')
    assert 'leaks' in capsys.readouterr().out
    assert len(known_leaks(SliceStore(root), 'mine')) == 1


def test_an_old_split_is_checked_without_being_drawn_again(run, root, leaking, capsys):
    run('split', root, '--name', 'old', '--file', leaking, '--allow-leaks')
    record, roles = root / 'splits' / 'old.json', (root / 'splits' / 'old.npy').read_bytes()
    before = json.loads(record.read_text())
    record.write_text(json.dumps({key: before[key] for key in ('parameters', 'patients')}))
    run('info', root, '--split', 'old')
    assert '--name old --recheck' in ' '.join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        run('split', root, '--name', 'old', '--recheck')
    assert json.loads(record.read_text()) == before
    assert (root / 'splits' / 'old.npy').read_bytes() == roles


def test_slices_too_small_to_compare_are_no_leak_and_the_user_is_told(
    run, tmp_path, leaking, capsys
):
    root = store_of(tmp_path / 'small', 64)
    run('split', root, '--name', 'mine', '--file', leaking)
    assert known_leaks(SliceStore(root), 'mine') == []
    assert 'slices of 64 x 64 pixels are too small' in ' '.join(capsys.readouterr().out.split())


def test_folds_are_written_checked_and_share_their_test_set(run, root):
    few = ('--labelled-per-class', 2, '--allow-leaks')
    run('split', root, '--name', 'cv', '--folds', 3, *few)
    records = [json.loads((root / 'splits' / f'cv_{k}.json').read_text()) for k in range(3)]
    assert sorted(f.name for f in (root / 'splits').glob('*.npy')) == [
        f'cv_{k}.npy' for k in range(3)
    ]
    assert all('leaks' in record for record in records)
    assert len({tuple(record['patients']['test']) for record in records}) == 1
    assert [record['parameters']['fold'] for record in records] == [[k, 3] for k in range(3)]


@pytest.mark.parametrize('flags', [('--folds', 1), ('--folds', 3, '--val', 0.2)])
def test_flags_that_make_no_sense_are_refused(run, root, flags, capsys):
    with pytest.raises(SystemExit):
        run('split', root, *flags)
    assert '--folds' in capsys.readouterr().err


def test_the_audit_is_printed_on_demand(run, root, capsys):
    run('info', root)
    assert 'balanced accuracy' not in ' '.join(capsys.readouterr().out.split())
    run('info', root, '--site-audit')
    assert 'outside the lungs' in ' '.join(capsys.readouterr().out.split())
