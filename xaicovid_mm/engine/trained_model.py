"""Build the model of a config and load the weights of a checkpoint."""

from pathlib import Path

from mmengine import Config
from mmengine.registry import init_default_scope

from ..models import MultiTaskModel
from ..registry import MODELS
from ..utils.errors import CheckpointError
from .checkpoint import read_checkpoint


def trained_model(cfg: Config, checkpoint: str | Path | None) -> MultiTaskModel:
    """Return the model of a config with the weights of a checkpoint, on the CPU, in eval mode.

    Nothing in the checkpoint is executed.

    Args:
        cfg: Config of the training run.
        checkpoint: File written by the run. None leaves the initial, random weights.

    Returns:
        The model, with ``cfg`` as its attribute ``cfg``.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        CheckpointError: If the checkpoint is damaged, unsafe or of another network.
    """
    init_default_scope('xaicovid_mm')
    model: MultiTaskModel = MODELS.build(cfg.model)
    if checkpoint is not None:
        weights = read_checkpoint(Path(checkpoint), 'cpu')['state_dict']
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f'{checkpoint} does not fit the model of the config: {error}'
            ) from error
    model.cfg = cfg
    return model.eval()
