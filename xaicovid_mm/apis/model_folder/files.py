"""A model as a folder to share: weights and a description. Nothing in it is executed."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import safetensors.torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ...engine.weights import WeightsError, load_all
from ...models import MultiTaskModel
from ...registry import MODELS
from ...utils.files import new_folder
from ...utils.locks import LOCKS, locked
from .check import check_description
from .limits import NumberBudget

FORMAT, VERSION = 'xaicovid_mm model', 1
WEIGHTS, DESCRIPTION = 'model.safetensors', 'model.json'
LONGEST = 1 << 20
"""Bytes of the longest description; ours have some 10 KB."""


class ModelFolderError(ValueError):
    """A model folder is damaged, of another version, or names something that may not be built."""


def write_model_folder(
    folder: str | Path,
    model: nn.Module,
    *,
    description: dict[str, Any],
    extras: dict[str, bytes] | None = None,
) -> None:
    """Write a model folder that ``read_model_folder`` reads, or nothing.

    Args:
        folder: Folder to make; it must not exist.
        model: The network whose weights are written.
        description: Plain data as of ``describe``; only ``model``, the config, is required.
        extras: Further files, name to content.

    Raises:
        FileExistsError: If the folder exists.
        LockedError: If another process writes it.
        ModelFolderError: If ``read_model_folder`` would refuse the folder.
        ValueError: If the description holds a number that JSON does not have, such as NaN.
        OSError: If the disk refuses; nothing is left behind then.
    """
    folder = Path(folder)
    weights = safetensors.torch.save({k: v.contiguous() for k, v in model.state_dict().items()})
    stamp = dict(format=FORMAT, version=VERSION, weights_sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps({**stamp, **description}, indent=1, allow_nan=False)
    _parse(folder, text)
    files = {WEIGHTS: weights, DESCRIPTION: text.encode(), **(extras or {})}
    with locked(folder.parent / LOCKS / folder.name, f'writing {folder}'):
        if folder.exists():
            raise FileExistsError(f'{folder} is there already: give another folder, or remove it')
        with new_folder(folder) as partial:
            for name, content in files.items():
                Path(partial, name).write_bytes(content)
            read_model_folder(partial)


def read_description(folder: str | Path) -> dict[str, Any]:
    """Read the description of a model folder, and refuse what ``allowed`` does not list.

    Raises:
        FileNotFoundError: If it is no model folder.
        ModelFolderError: If the description is damaged, of another version, or holds anything
            that is not allowed.
    """
    path = Path(folder, DESCRIPTION)
    if not path.is_file():
        why = f'has no {DESCRIPTION}' if Path(folder).is_dir() else 'is no folder'
        raise FileNotFoundError(f'{folder} {why}: give a folder that xaicovid publish wrote')
    with open(path, 'rb') as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise ModelFolderError(f'{path} has more than {LONGEST} bytes: it is no description')
    return _parse(path, content)


def read_model_folder(folder: str | Path) -> tuple[MultiTaskModel, dict[str, Any]]:
    """Build the model of a folder and load its weights.

    Returns:
        The model in eval mode on the CPU, and the description of the folder.

    Raises:
        FileNotFoundError: If a file is missing.
        ModelFolderError: If the description holds anything that is not allowed, the network cannot
            be built, or the weights are not those of the description, do not fit the network or
            are not finite.
    """
    description, path = read_description(folder), Path(folder, WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f'{folder} has no {WEIGHTS}: copy the whole folder again')
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != description['weights_sha256']:
        raise ModelFolderError(f'{path} is not what {DESCRIPTION} was written for: copy it again')
    try:
        weights: dict[str, Tensor] = safetensors.torch.load(content)
    except Exception as error:  # of the library: a file may be damaged in any way
        raise ModelFolderError(f'{path} is no safetensors file: {error}') from error
    init_default_scope('xaicovid_mm')
    try:
        with NumberBudget(weights):
            model: MultiTaskModel = MODELS.build(description['model'])
    except Exception as error:  # of any library: what it raises cannot be known
        raise ModelFolderError(f'{folder}: its network cannot be built: {error}') from error
    try:
        load_all(model, weights, path)
    except WeightsError as error:
        raise ModelFolderError(str(error)) from error
    return model.eval(), description


def _parse(path: Path, content: str | bytes) -> dict[str, Any]:
    try:
        description = json.loads(content, parse_float=_finite, parse_constant=_finite)
        stamp = (description['format'], description['version'])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFolderError(f'{path} is no description of a model ({error!r})') from error
    if stamp != (FORMAT, VERSION):
        raise ModelFolderError(
            f'{path} is {stamp[0]!r} version {stamp[1]!r}, this reads {FORMAT!r} version '
            f'{VERSION}: publish it again with this version of xaicovid_mm'
        )
    try:
        check_description(description)
    except ValueError as error:
        raise ModelFolderError(f'{path}: {error}') from error
    return description


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f'the number {text} is not finite')
    return number
