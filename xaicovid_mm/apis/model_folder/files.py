"""A model as a folder to share: weights, and everything else as data. Nothing in it is executed."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
from mmengine.registry import init_default_scope
from torch import nn

from ...models import MultiTaskModel
from ...registry import MODELS
from .allowed_components import check_components

FORMAT, VERSION = 'xaicovid_mm model', 1
WEIGHTS, DESCRIPTION = 'model.safetensors', 'model.json'


class ModelFolderError(ValueError):
    """A model folder is damaged, of another version, or names what may not be built."""


def write_model_folder(
    folder: str | Path, model: nn.Module, description: dict[str, Any], extras: dict[str, bytes]
) -> None:
    """Write the folder whole or not at all.

    Args:
        folder: Made by this call; its parent must exist.
        model: Whose weights are kept.
        description: ``model`` (its config as data), ``labeler``, ``classes``, ``preprocessing``,
            ``calibration``, ``validation`` and ``provenance``, all plain data.
        extras: Further files by name.

    Raises:
        FileExistsError: If the folder is there already.
        ModelFolderError: If the config names what `read_model_folder` would refuse.
        OSError: If the disk refuses; nothing is left behind then.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f'{folder} is there already: give another folder, or remove it')
    _check(folder, description['model'])
    weights = safetensors.torch.save({k: v.contiguous() for k, v in model.state_dict().items()})
    stamp = dict(format=FORMAT, version=VERSION, weights_sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps({**stamp, **description}, indent=1, allow_nan=False)
    partial = folder.with_name(f'.{folder.name}.{os.getpid()}.partial')
    try:
        partial.mkdir()
        for name, content in {WEIGHTS: weights, DESCRIPTION: text.encode(), **extras}.items():
            Path(partial, name).write_bytes(content)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_description(folder: str | Path) -> dict[str, Any]:
    """What a model folder says of itself.

    Raises:
        FileNotFoundError: If it is no model folder.
        ModelFolderError: If it is damaged or of another version.
    """
    path = Path(folder, DESCRIPTION)
    if not path.is_file():
        raise FileNotFoundError(
            f'{folder} has no {DESCRIPTION}: give a folder that tools/publish_model.py wrote'
        )
    try:
        description = json.loads(path.read_text(encoding='utf-8'))
        found = (description['format'], description['version'])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFolderError(f'{path} is no description of a model ({error!r})') from error
    if found != (FORMAT, VERSION):
        raise ModelFolderError(
            f'{path} is {found[0]!r} version {found[1]}, this reads {FORMAT!r} version {VERSION}: '
            'publish it again with this version of xaicovid_mm'
        )
    return description


def read_model_folder(folder: str | Path) -> tuple[MultiTaskModel, dict[str, Any]]:
    """Build the model and load its weights; return it in eval mode with its description.

    Raises:
        FileNotFoundError: If a file is missing.
        ModelFolderError: If the weights are not those of the description, or do not fit, or the
            description names anything that is no component of a network.
    """
    description, path = read_description(folder), Path(folder, WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f'{folder} has no {WEIGHTS}: copy the whole folder again')
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != description.get('weights_sha256'):
        raise ModelFolderError(f'{path} is not what {DESCRIPTION} was written for: copy it again')
    _check(folder, description['model'])
    init_default_scope('xaicovid_mm')
    model: MultiTaskModel = MODELS.build(description['model'])
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except RuntimeError as error:
        raise ModelFolderError(f'{path} does not fit its description: {error}') from error
    return model.eval(), description


def _check(folder: str | Path, config: Any) -> None:
    try:
        check_components(config)
    except ValueError as error:
        raise ModelFolderError(f'{folder}: {error}') from error
