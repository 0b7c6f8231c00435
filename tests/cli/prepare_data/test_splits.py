"""`prepare_data.py split` and `info`, as a user types them."""

import json
import re
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


def store_of(root, side, names=None):
    """30 patients of three classes; the last is a copy of the first."""
    names = names or {}
    writer = StoreWriter(root, (side, side), 'hu', {'kind': 'test'})
    for number in range(PATIENTS):
        rng = np.random.default_rng(number % (PATIENTS - 1))
        image = 900 * gaussian_filter(rng.normal(size=(2, side, side)), (0, 1, 1)) - 600
        writer.add_case(
            StoreCase(
                name=f'c{number}',
                patient=names.get(number, f'p{number}'),
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


@pytest.mark.parametrize('way', [(), ('--folds', 3), ('--file',)])
def test_a_split_that_exists_is_replaced_only_by_force(run, root, leaking, way, capsys):
    options = [*way, leaking] if way == ('--file',) else [*way, '--labelled-per-class', 2]
    name, path = ('cv', 'cv_0') if '--folds' in way else ('cv', 'cv')
    run('split', root, '--name', name, '--allow-leaks', *options)
    path = root / 'splits' / f'{path}.npy'
    before = path.stat().st_mtime_ns
    with pytest.raises(SystemExit) as stop:
        run('split', root, '--name', name, '--allow-leaks', *options)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and f'has the split {path.stem}' in error and '--force' in error
    assert path.stat().st_mtime_ns == before
    run('split', root, '--name', name, '--allow-leaks', *options, '--force')
    assert path.stat().st_mtime_ns > before


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


def test_patients_told_apart_by_letter_case_or_a_dash_are_a_warning(run, tmp_path, capsys):
    root = store_of(tmp_path / 'store', 32, {3: 'P-4', 5: 'P 004'})
    patients = dict(unlabelled=['p4'], test=['P-4'], val=['P 004 '])
    run('split', root, '--name', 'mine', '--file', split_file(tmp_path / 's.json', **patients))
    said = ' '.join(capsys.readouterr().out.split())
    assert "patients 'P 004' (val), 'P-4' (test), 'p4' (unlabelled) differ in letter case" in said
    run('info', root)
    assert "patients 'P 004', 'P-4', 'p4' differ" in ' '.join(capsys.readouterr().out.split())


def test_a_name_with_a_blank_at_its_end_is_the_same_patient(run, root, tmp_path, capsys):
    file = split_file(tmp_path / 's.json', val=['p1 '], test=['\u00a0p1'])
    with pytest.raises(SystemExit):
        run('split', root, '--file', file)
    assert "'p1' is both val and test" in capsys.readouterr().err


NO_SPLITS = {
    'nnU-Net': ([dict(train=['a'], val=['b'])] * 5, 'a list of 5 folds .*nnU-Net'),
    'a list': (['p1'], 'a JSON list'),
    'one name': (dict(val='p1'), "'val' is no list of patients"),
    'MONAI': (dict(training=[dict(image='a')]), "'training' is no list of patients"),
    'other roles': (dict(train=['p1'], test=['p2']), r"roles \['train'\], there are"),
}


@pytest.mark.parametrize('content, said', NO_SPLITS.values(), ids=NO_SPLITS)
def test_a_file_that_is_no_split_says_what_it_is_and_what_is_expected(
    run, root, tmp_path, capsys, content, said
):
    (tmp_path / 's.json').write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stop:
        run('split', root, '--file', tmp_path / 's.json')
    error = capsys.readouterr().err
    assert stop.value.code == 2 and re.search(said, error) and '{"labelled": ["p1"' in error
    assert not (root / 'splits').exists()


def test_a_file_that_is_no_json_or_not_there_is_named(run, root, tmp_path, capsys):
    (tmp_path / 's.json').write_text('{')
    for name in ('s.json', 'none.json'):
        with pytest.raises(SystemExit):
            run('split', root, '--file', tmp_path / name)
        assert name in capsys.readouterr().err


def test_the_record_of_a_split_gives_the_same_split(run, root, tmp_path):
    run('split', root, '--name', 'one', '--seed', 3, '--labelled-per-class', 2, '--allow-leaks')
    run('split', root, '--name', 'two', '--file', root / 'splits/one.json', '--allow-leaks')
    one, two = ((root / 'splits' / f'{name}.npy').read_bytes() for name in ('one', 'two'))
    assert one == two


def test_a_split_that_training_would_refuse_is_not_written(run, root, tmp_path, capsys):
    with pytest.raises(SystemExit):  # COVID-19 without a mask
        run('split', root, '--file', split_file(tmp_path / 's.json', labelled=['p2'], val=['p1']))
    assert "labelled cases without infection mask: ['c2']" in capsys.readouterr().err
    assert not (root / 'splits').exists()


def test_split_prints_which_roles_have_no_slice(run, root, tmp_path, capsys):
    run('split', root, '--file', split_file(tmp_path / 's.json', labelled=['p1']))
    said = ' '.join(capsys.readouterr().out.split())
    assert 'has no unlabelled and no val and no test slices' in said


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
