"""Load a trained model for inference."""

from pathlib import Path

from mmengine import Config

from ..engine.config.files import find_config
from ..engine.trained_model import trained_model
from ..models import MultiTaskModel
from .model_folder.files import read_model_folder


def init_model(
    config: str | Path | Config | dict,
    checkpoint: str | Path | None = None,
    device: str = 'cpu',
) -> MultiTaskModel:
    """Build the model of a config and load its weights. Nothing in the weights is executed.

    Args:
        config: A config, a dict of one, or the path of one. Or a model folder of
            ``tools/publish_model.py``: it has its own weights, and its config is plain data.
        checkpoint: File written by a training run. None leaves the initial, random weights.
        device: Device of the returned model.

    Returns:
        The model in eval mode. If ``config`` is no model folder, it has the config as ``cfg``.

    Raises:
        FileNotFoundError: If the config, the checkpoint or a file of the folder does not exist.
        CheckpointError: If the checkpoint is damaged, unsafe or of another network.
        ModelFolderError: If the folder is damaged, or names something that may not be built.
        ValueError: If both a folder and a checkpoint are given.
    """
    if isinstance(config, (str, Path)) and Path(config).is_dir():
        if checkpoint is not None:
            raise ValueError(f'{config} has its own weights: leave out {checkpoint}')
        return read_model_folder(config)[0].to(device)
    if isinstance(config, dict):
        config = Config(config)
    cfg = config if isinstance(config, Config) else Config.fromfile(find_config(config))
    return trained_model(cfg, checkpoint).to(device)
