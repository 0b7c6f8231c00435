"""A trained model, ready to use."""

from pathlib import Path

from mmengine import Config
from mmengine.registry import init_default_scope

from ..engine.checkpoint import read_checkpoint
from ..models import MultiTaskModel
from ..registry import MODELS
from ..utils.errors import CheckpointError
from .model_folder.files import read_model_folder


def init_model(
    config: str | Path | Config | dict,
    checkpoint: str | Path | None = None,
    device: str = 'cpu',
) -> MultiTaskModel:
    """Build the model of a config and load its weights, executing nothing of the checkpoint.

    Args:
        config: Config, dict of one, or the path of one; or a folder of ``tools/publish_model.py``,
            which has its weights with it and whose config is data.
        checkpoint: Written by a training run; None leaves the weights at random.
        device: Where it goes.

    Returns:
        The model in eval mode, with its config as ``cfg``.

    Raises:
        FileNotFoundError: If config or checkpoint is not there.
        CheckpointError: If the checkpoint is damaged, unsafe or of another network.
        ModelFolderError: If the folder is damaged, or names what may not be built.
        ValueError: If a folder comes with a checkpoint.
    """
    if isinstance(config, (str, Path)) and Path(config).is_dir():
        if checkpoint is not None:
            raise ValueError(f'{config} has its own weights: leave out {checkpoint}')
        return read_model_folder(config)[0].to(device)
    if isinstance(config, dict):
        config = Config(config)
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
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
    return model.to(device).eval()
