import errno
import io
import os
import pickle
import stat
import tracemalloc
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from xaicovid_mm.engine.checkpoint import (
    POINTER,
    find_latest,
    read_checkpoint,
    remove_stale,
    write_checkpoint,
)
from xaicovid_mm.engine.plain_data import from_plain, to_plain
from xaicovid_mm.models.backbones.local_weights import read_tensors
from xaicovid_mm.utils import files
from xaicovid_mm.utils.errors import CheckpointError
from xaicovid_mm.utils.files import write_bytes

STATE = {'state_dict': {'w': torch.arange(1000.0)}, 'meta': {'epoch': 1}}


class Gadget:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_what_is_written_is_read_back_with_its_types(tmp_path):
    state = {
        'history': HistoryBuffer([1.5, 2.5], [1, 2], 7),
        'array': np.arange(4, dtype=np.uint32),
        'counter': Counter([1, 2, 2]),
        'nest': (1, [2.5, {'x': None}], 'text', True),
        'scalar': np.float64(0.1),
        3: torch.tensor([1, 2]),
    }
    write_checkpoint(state, tmp_path / 'a.pth')
    back = read_checkpoint(tmp_path / 'a.pth')
    assert back['nest'] == state['nest'] and back['scalar'] == 0.1
    assert type(back['counter']) is Counter and back['counter'] == state['counter']
    assert back['array'].dtype == np.uint32 and (back['array'] == state['array']).all()
    assert back['history'].mean(2) == state['history'].mean(2)
    assert back['history'].max_length == 7
    back['history'].update(3.0)
    assert torch.equal(back[3], state[3])


def test_plain_data_is_nothing_but_tensors_and_primitives():
    plain = to_plain({'h': HistoryBuffer([1.0], [1]), 'c': Counter('a')})
    assert plain['h']['__history__'][0].keys() == {'__ndarray__'}
    assert type(plain['c']['__counter__']) is dict
    assert from_plain(plain)['c'] == Counter('a')


def test_an_object_is_refused_by_its_place():
    with pytest.raises(CheckpointError, match='checkpoint/message_hub/0/odd is a Gadget'):
        to_plain({'message_hub': [{'odd': Gadget('x')}]})


def test_other_programs_can_read_the_file(tmp_path):
    write_checkpoint(STATE, tmp_path / 'a.pth')
    assert torch.load(tmp_path / 'a.pth', weights_only=True)['meta'] == {'epoch': 1}


@pytest.mark.parametrize('share', [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_a_flipped_bit_is_found_and_the_file_named(tmp_path, share):
    path = tmp_path / 'epoch_3.pth'
    write_checkpoint(STATE, path)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'epoch_3\.pth is damaged'):
        read_checkpoint(path)


def test_a_flipped_bit_in_a_file_of_another_program_is_found_too(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(STATE, path)
    content = bytearray(path.read_bytes())
    content[content.index(STATE['state_dict']['w'].numpy().tobytes()) + 402] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="a.pth .* its part 'a/data/0' is not what was wri"):
        read_checkpoint(path)


@pytest.mark.parametrize('content, kind', [(b'hello', 'KeyError: 101'), (b'', 'EOFError')])
def test_what_the_reader_stumbled_over_is_said_in_words(tmp_path, content, kind):
    """A bare KeyError of pickle reads '101': the number of a byte."""
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(tmp_path / 'a.pth')
    assert f'cannot be unpacked as a file of torch.save with a dict in it ({kind})' in str(
        error.value
    )


@pytest.mark.parametrize('share', [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_found_and_named(tmp_path, share):
    path = tmp_path / 'epoch_3.pth'
    write_checkpoint(STATE, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r'epoch_3\.pth'):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match=r'none of them usable'):
        find_latest(tmp_path)


@pytest.mark.parametrize('container', ['torch', 'torch_old', 'pickle'])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, container):
    path, made = tmp_path / 'gift.pth', tmp_path / 'made'
    content = {'state_dict': {}, 'gift': Gadget(made)}
    if container == 'pickle':
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=container == 'torch')
    with pytest.raises(CheckpointError, match=r'gift\.pth') as caught:
        read_checkpoint(path)
    assert not made.exists()
    assert 'weights_only' not in str(caught.value)  # torch's own advice is to switch safety off


def test_a_checkpoint_of_mmengine_is_refused_with_a_remedy(tmp_path):
    torch.save({'state_dict': {}, 'message_hub': HistoryBuffer([1.0], [1])}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='save its weights alone'):
        read_checkpoint(tmp_path / 'a.pth')


def packed(path, compression, size=10**8):
    """A file of torch.save whose tensor was exchanged for zeros."""
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, 'w', compression) as bomb:
        for part in source.infolist():
            is_tensor = part.filename.endswith('data/0')
            bomb.writestr(part.filename, bytes(size) if is_tensor else source.read(part))


def test_a_file_that_asks_for_more_memory_than_it_has_bytes_is_refused_before(tmp_path):
    path = tmp_path / 'bomb.pth'
    packed(path, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r'bomb\.pth .*ask for 1000\d+ bytes, .* holds'):
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()
    with pytest.raises(CheckpointError, match=r'ask for 1000\d+ bytes'):
        read_tensors(path)  # of a pretrained encoder


def test_parts_that_share_their_bytes_are_refused(tmp_path):
    path = tmp_path / 'overlap.pth'
    packed(path, zipfile.ZIP_STORED, 4000)
    torch.load(path, weights_only=True)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.filelist += 9 * [p for p in archive.filelist if p.filename.endswith('data/0')]
        archive._didModify = True  # the directory names the tensor ten times
    with pytest.raises(CheckpointError, match=r'ask for 4\d+ bytes, the file holds'):
        read_checkpoint(path)


def test_lists_of_one_list_of_one_list_take_no_more_memory_than_the_file(tmp_path):
    many = [0.5]
    for _ in range(40):
        many = [many, many]  # 10^12 numbers, if each were copied
    torch.save({'state_dict': {}, 'meta': many}, tmp_path / 'a.pth')
    back = read_checkpoint(tmp_path / 'a.pth')['meta']
    assert back[0] is back[1] and back[0][0] is back[0][1]


def test_what_is_no_file_is_said_to_be_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth is not a checkpoint file'):
        read_checkpoint(tmp_path / 'none.pth')
    torch.save([1], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='list, not a dict'):
        read_checkpoint(tmp_path / 'list.pth')


@pytest.mark.parametrize(
    ('call', 'code'), [('fsync', errno.ENOSPC), ('open', errno.EROFS), ('replace', errno.EACCES)]
)
def test_a_disk_that_refuses_costs_nothing_that_was_there(tmp_path, monkeypatch, call, code):
    path = tmp_path / 'epoch_1.pth'
    write_bytes(path, b'old')

    def refuse(*args):
        raise OSError(code, os.strerror(code))

    if call == 'open':
        monkeypatch.setattr(files, 'open', refuse, raising=False)
    else:
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match=r'cannot write .*epoch_1\.pth') as caught:
        write_bytes(path, b'new')
    assert caught.value.errno == code
    assert path.read_bytes() == b'old' and [p.name for p in tmp_path.iterdir()] == [path.name]


def _three_epochs(folder):
    for epoch in (2, 9, 10):
        write_checkpoint(STATE, folder / f'epoch_{epoch}.pth')


def test_the_newest_checkpoint_is_found_by_number_not_by_letter(tmp_path):
    assert find_latest(tmp_path) is None
    _three_epochs(tmp_path)
    write_checkpoint(STATE, tmp_path / 'best_cls_auc_epoch_11.pth')
    assert find_latest(tmp_path).name == 'epoch_10.pth'


def test_epochs_of_an_abandoned_future_are_passed_over(tmp_path):
    _three_epochs(tmp_path)
    write_bytes(tmp_path / POINTER, b'epoch_9.pth')
    assert find_latest(tmp_path).name == 'epoch_9.pth'


@pytest.mark.parametrize('text', [b'../../elsewhere.pth', b'', b'\xff\xfe'])
def test_a_nonsense_pointer_is_ignored(tmp_path, text):
    _three_epochs(tmp_path)
    (tmp_path / POINTER).write_bytes(text)
    assert find_latest(tmp_path).name == 'epoch_10.pth'


def test_half_written_files_of_killed_runs_are_cleared_away_and_nothing_else(tmp_path):
    finished = ['epoch_1.pth', '.hidden.pth', '.partial.notes', 'partial.epoch_1.pth']
    half_written = ['epoch_2.pth', 'best_a_epoch_2.pth', 'last_checkpoint']
    for name in (*finished, *(f'.partial.{name}' for name in half_written)):
        (tmp_path / name).touch()
    remove_stale(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(finished)


@pytest.mark.parametrize('kind', ['folder', 'dangling link'])
def test_a_checkpoint_that_cannot_be_read_is_passed_over_for_an_older_one(tmp_path, kind):
    write_checkpoint(STATE, tmp_path / 'epoch_1.pth')
    newest = tmp_path / 'epoch_2.pth'
    newest.mkdir() if kind == 'folder' else newest.symlink_to(tmp_path / 'nowhere')
    assert find_latest(tmp_path).name == 'epoch_1.pth'


@pytest.mark.parametrize('code', [errno.EINVAL, errno.EIO])
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch, code):
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', fsync)
    write_bytes(tmp_path / 'a', b'new')
    assert (tmp_path / 'a').read_bytes() == b'new'
