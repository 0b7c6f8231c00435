"""A model as a folder to share: weights and a description. Nothing in it is executed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
from mmengine.registry import init_default_scope
from torch import nn

from ...models import MultiTaskModel
from ...registry import MODELS
from ...utils.files import new_folder
from .allowed_components import check_components

FORMAT, VERSION = 'xaicovid_mm model', 1
WEIGHTS, DESCRIPTION = 'model.safetensors', 'model.json'


class ModelFolderError(ValueError):
    """A model folder is damaged, of another version, or names something that may not be built."""


def write_model_folder(
    folder: str | Path,
    model: nn.Module,
    *,
    description: dict[str, Any],
    extras: dict[str, bytes] | None = None,
) -> None:
    """Write a model folder, whole or not at all.

    Args:
        folder: Folder to make; it must not exist.
        model: The network whose weights are written.
        description: Plain data as of ``describe``; only ``model``, the config, is required.
        extras: Further files, name to content.

    Raises:
        FileExistsError: If the folder exists.
        ModelFolderError: If ``read_model_folder`` would refuse the config.
        ValueError: If the description holds a number that JSON does not have, such as NaN.
        OSError: If the disk refuses; nothing is left behind then.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f'{folder} is there already: give another folder, or remove it')
    _check_components(folder, description['model'])
    weights = safetensors.torch.save({k: v.contiguous() for k, v in model.state_dict().items()})
    stamp = dict(format=FORMAT, version=VERSION, weights_sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps({**stamp, **description}, indent=1, allow_nan=False)
    files = {WEIGHTS: weights, DESCRIPTION: text.encode(), **(extras or {})}
    with new_folder(folder) as partial:
        for name, content in files.items():
            Path(partial, name).write_bytes(content)


def read_description(folder: str | Path) -> dict[str, Any]:
    """Read the description of a model folder.

    Raises:
        FileNotFoundError: If it is no model folder.
        ModelFolderError: If the description is damaged or of another version.
    """
    path = Path(folder, DESCRIPTION)
    if not path.is_file():
        raise FileNotFoundError(
            f'{folder} has no {DESCRIPTION}: give a folder that xaicovid publish wrote'
        )
    try:
        description = json.loads(path.read_text(encoding='utf-8'))
        stamp = (description['format'], description['version'])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFolderError(f'{path} is no description of a model ({error!r})') from error
    if stamp != (FORMAT, VERSION):
        raise ModelFolderError(
            f'{path} is {stamp[0]!r} version {stamp[1]}, this reads {FORMAT!r} version {VERSION}: '
            'publish it again with this version of xaicovid_mm'
        )
    return description


def read_model_folder(folder: str | Path) -> tuple[MultiTaskModel, dict[str, Any]]:
    """Build the model of a folder and load its weights.

    Returns:
        The model in eval mode on the CPU, and the description of the folder.

    Raises:
        FileNotFoundError: If a file is missing.
        ModelFolderError: If the weights are not those of the description or do not fit the
            network, or if the network cannot be built or names something that is no part of one.
    """
    description, path = read_description(folder), Path(folder, WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f'{folder} has no {WEIGHTS}: copy the whole folder again')
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != description.get('weights_sha256'):
        raise ModelFolderError(f'{path} is not what {DESCRIPTION} was written for: copy it again')
    _check_components(folder, description['model'])
    init_default_scope('xaicovid_mm')
    try:
        model: MultiTaskModel = MODELS.build(description['model'])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f'{folder}: its network cannot be built: {error}') from error
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except RuntimeError as error:
        raise ModelFolderError(f'{path} does not fit its description: {error}') from error
    return model.eval(), description


def _check_components(folder: str | Path, config: Any) -> None:
    try:
        check_components(config)
    except ValueError as error:
        raise ModelFolderError(f'{folder}: {error}') from error
