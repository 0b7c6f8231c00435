"""A case on disk, killed at every step of the way."""

import os
import shutil
import signal
import sys

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.case_folder import stored_case, write_case
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.files import remove_folder

CHANGES = ('os.rename', 'os.remove', 'os.rmdir', 'os.mkdir')


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def killed_at(step, act):
    """Do it in a child that is killed before its ``step``-th change of files; was it killed?"""
    child = os.fork()
    if not child:
        left = [step]

        def kill(event, args):
            if event in CHANGES or (event == 'open' and 'w' in str(args[1])):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def prepare(root, names, version):
    """A store of these cases, taken over where an earlier run left them in this version."""
    out = StoreWriter(root, (4, 4), 'hu', dict(version=version))
    for name in names:
        if not out.keep_case(name, f'{name} {version}'):
            image = np.arange(32).reshape(2, 4, 4) + version
            masks = dict(lung=np.ones((2, 4, 4)), infection=np.ones((2, 4, 4)))
            out.add_case(
                StoreCase(
                    name=name,
                    patient=name,
                    site='s',
                    image=image,
                    label=2,
                    key=f'{name} {version}',
                    **masks,
                )
            )
    out.close()


@pytest.mark.parametrize('again', [(['a', 'b'], 1), (['a'], 2)], ids=['back', 'on'])
def test_whenever_a_run_is_killed_the_next_ends_in_the_bytes_of_a_clean_one(tmp_path, again):
    names, version = again
    prepare(tmp_path / 'before', ['a', 'b'], 1)
    prepare(tmp_path / 'clean', names, version)
    root, step = tmp_path / 'store', 0
    while True:
        step += 1
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / 'before', root)
        if not killed_at(step, lambda: prepare(root, ['a'], 2)):
            break
        prepare(root, names, version)
        assert content(root) == content(tmp_path / 'clean'), f'killed at step {step}'
    assert step > 30  # there were so many changes of files, and it died at each


def test_a_case_is_known_by_its_key_alone(tmp_path):
    arrays = dict(image=np.ones(3), rows=np.arange(2))
    write_case(tmp_path / 'a', arrays, dict(name='a'), 'one')
    record, rows = stored_case(tmp_path / 'a', 'one')
    assert record == dict(name='a') and rows.tolist() == [0, 1]
    assert stored_case(tmp_path / 'a', 'two') is None
    assert stored_case(tmp_path / 'b', 'one') is None
    write_case(tmp_path / 'b', arrays, dict(name='b'), '')
    assert stored_case(tmp_path / 'b', '') is None  # no key, no promise


def test_a_removed_case_leaves_nothing_and_one_that_is_not_there_is_no_error(tmp_path):
    write_case(tmp_path / 'a', dict(rows=np.arange(2)), {}, 'one')
    for _ in range(2):
        remove_folder(tmp_path / 'a')
        assert not list(tmp_path.iterdir())


def test_splits_stay_when_the_same_slices_are_made_again_and_go_when_others_are(tmp_path):
    prepare(tmp_path, ['a', 'b'], 1)
    write_split(SliceStore(tmp_path), 'mine', {'labelled': ['a'], 'val': ['b']})
    prepare(tmp_path, ['a', 'b'], 1)
    assert SliceStore(tmp_path).rows('mine', 'val').tolist() == [2, 3]
    prepare(tmp_path, ['b', 'a'], 1)
    assert not (tmp_path / 'splits').exists()
