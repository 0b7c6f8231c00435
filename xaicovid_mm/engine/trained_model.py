"""Build the model of a config and load the weights of a checkpoint."""

from pathlib import Path

from mmengine import Config
from mmengine.registry import init_default_scope

from ..models import MultiTaskModel
from ..registry import MODELS
from ..utils.errors import ConfigError
from .checkpoint import read_checkpoint
from .provenance import provenance_of, refuse_other_settings, shared_settings
from .weights import load_all, weights_of


def trained_model(cfg: Config, checkpoint: str | Path | None) -> MultiTaskModel:
    """Return the model of a config with the weights of a checkpoint, on the CPU, in eval mode.

    Nothing in the checkpoint is executed.

    Args:
        cfg: Config of the training run.
        checkpoint: File written by the run. None leaves the initial, random weights.

    Returns:
        The model, with ``cfg`` as its attribute ``cfg``.

    Raises:
        ConfigError: If the config has no model.
        FileNotFoundError: If the checkpoint does not exist.
        CheckpointError: If the checkpoint is damaged, unsafe or of another network, was trained
            with other settings than ``cfg`` has, or its weights are not finite.
    """
    if not cfg.get('model'):
        raise ConfigError(f'{cfg.filename or "the config"} has no model: name the network to build')
    init_default_scope('xaicovid_mm')
    model: MultiTaskModel = MODELS.build(cfg.model)
    if checkpoint is not None:
        content = read_checkpoint(Path(checkpoint), 'cpu')
        load_all(model, weights_of(content, checkpoint), checkpoint)
        if 'train_dataloader' in cfg:
            refuse_other_settings(
                shared_settings(cfg.to_dict()), provenance_of(content), checkpoint
            )
    model.cfg = cfg
    return model.eval()
