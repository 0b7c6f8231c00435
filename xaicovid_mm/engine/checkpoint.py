"""Checkpoint files: written whole or not at all, checked when read, never executed.

A file is what ``torch.save`` writes, a zip archive, with ``sha256:<hex>`` as the archive's comment.
Any reader of PyTorch can open it, and a flipped bit, which PyTorch does not notice, is detected.
"""

import hashlib
import io
import logging
import re
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
from mmengine.logging import print_log

from ..utils.errors import CheckpointError
from ..utils.files import partial_path, write_bytes
from ..utils.torch_file import load_tensors
from .plain_data import from_plain, to_plain
from .run_record import RECORD

POINTER = 'last_checkpoint'
"""Text file in a work dir with the name of the checkpoint that was written last."""

_STAMP = b'sha256:'
_STAMP_BYTES = len(_STAMP) + 64
_EPOCH_FILE = re.compile(r'epoch_(\d+)\.pth')


def write_checkpoint(checkpoint: dict, path: Path) -> None:
    """Write ``checkpoint`` so that ``path`` holds the old content or the new, never a part.

    Raises:
        CheckpointError: If it holds more than plain data.
        OSError: If the disk refuses; the message names the file, the old content is untouched.
    """
    buffer = io.BytesIO()
    torch.save(to_plain(checkpoint), buffer)
    archive = buffer.getvalue()[:-2] + _STAMP_BYTES.to_bytes(2, 'little')  # length of the comment
    write_bytes(path, archive + _STAMP + hashlib.sha256(archive).hexdigest().encode())


def read_checkpoint(path: Path, map_location: str | torch.device | Callable = 'cpu') -> dict:
    """Load tensors and primitives from ``path``; nothing in the file is executed.

    Args:
        path: A file of `write_checkpoint`, or weights saved elsewhere with ``torch.save``.
        map_location: As in ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, holds anything but plain data, or asks for more
            memory than it has bytes.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is not a checkpoint file. Only local files are loaded: check the path'
        )
    content = path.read_bytes()
    _check_stamp(path, content, required=False)
    try:
        checkpoint = load_tensors(io.BytesIO(content), map_location)
        if not isinstance(checkpoint, dict):
            raise TypeError(f'it holds a {type(checkpoint).__name__}, not a dict')
        done: dict[int, object] = {}
        return {key: from_plain(value, done) for key, value in checkpoint.items()}
    except UnpicklingError as error:
        reason = re.search(r'(Unsupported|Trying to|GLOBAL)[^\n]*', str(error))
        raise CheckpointError(
            f'{path} is refused: it is damaged or holds Python objects, which could run code when '
            "loaded. From a source you trust, save its weights alone: torch.save({'state_dict': "
            f'weights}}, file). First reason: {reason[0] if reason else "unreadable pickle"}'
        ) from None
    except Exception as error:  # whatever a broken file makes the reader stumble over
        stopped = ': '.join(filter(None, (type(error).__name__, str(error))))
        raise CheckpointError(
            f'{path} ({len(content)} bytes) is damaged or no checkpoint: it cannot be unpacked '
            f'as a file of torch.save with a dict in it ({stopped}). Use another file'
        ) from error


def _check_stamp(path: Path, content: bytes, required: bool) -> None:
    archive, stamp = content[:-_STAMP_BYTES], content[-_STAMP_BYTES:]
    if not stamp.startswith(_STAMP):
        cut_off = _STAMP in content[-2 * _STAMP_BYTES :]
        if required or cut_off:
            raise CheckpointError(
                f'{path} ({len(content)} bytes) does not end with its checksum: it was cut off, or '
                'another program wrote it'
            )
        return
    digest = hashlib.sha256(archive).hexdigest()
    if stamp != _STAMP + digest.encode():
        raise CheckpointError(
            f'{path} is damaged: its content has sha256 {digest}, it was written with '
            f'{stamp[len(_STAMP) :].decode(errors="replace")}. Use another checkpoint'
        )


def epoch_checkpoints(work_dir: Path) -> dict[int, Path]:
    """Return the checkpoints ``epoch_<n>.pth`` by number of finished epochs, newest first."""
    paths = {
        int(match[1]): path
        for path in work_dir.glob('epoch_*.pth')
        if (match := _EPOCH_FILE.fullmatch(path.name))
    }
    return dict(sorted(paths.items(), reverse=True))


def find_latest(work_dir: Path) -> Path | None:
    """Return the newest sound checkpoint of ``work_dir``; None if there is no checkpoint at all.

    The pointer file names the checkpoint that was written last. Files of higher epochs are left
    over from before the run was resumed at an earlier epoch, and are ignored. Files that cannot be
    read, or are damaged, are skipped with a warning.

    Raises:
        CheckpointError: If there are checkpoints but none is sound.
    """
    candidates = epoch_checkpoints(work_dir)
    last = _EPOCH_FILE.fullmatch(_pointed_at(work_dir / POINTER))
    newest = int(last[1]) if last else max(candidates, default=0)
    ordered = [path for number, path in candidates.items() if number <= newest]
    for path in ordered:
        try:
            _check_stamp(path, path.read_bytes(), required=True)
        except (CheckpointError, OSError) as error:
            text = f'{path}: {error.strerror}' if isinstance(error, OSError) else error
            print_log(f'skipped for resuming: {text}', 'current', logging.WARNING)
        else:
            return path
    if candidates:
        raise CheckpointError(
            f'{work_dir} has {len(candidates)} checkpoints, none of them usable up to epoch '
            f'{newest}: {[p.name for p in candidates.values()]}. Remove them to start anew, or '
            'name one with --resume PATH'
        )
    return None


def _pointed_at(pointer: Path) -> str:
    try:
        return pointer.read_text(errors='replace').strip()
    except OSError:  # there is none yet, or it cannot be read: the numbers of the files decide
        return ''


def remove_stale(work_dir: Path) -> None:
    """Delete the half-written files of killed runs."""
    for name in ('epoch_*.pth', 'best_*.pth', '*.py', POINTER, RECORD):
        for path in work_dir.glob(partial_path(Path(name)).name):
            path.unlink(missing_ok=True)
