"""The lung segmentation methods, by name."""

import warnings
from pathlib import Path

import numpy as np

from ...data_prep.lungs import METHODS
from ...data_prep.lungs.mask_file import THRESHOLD_METHOD, LungMethod
from ...data_prep.quality.lung_mask import FindLungs
from ...models import LungSegmentor
from ...utils.extras import need_extra
from ...utils.files import file_sha256
from ...utils.torch_file import load_tensors
from ..init_model import init_model
from .extractor import HybridLungs, LungExtractor


def lung_method(
    name: str | None = None,
    *,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    intensity: str = 'hu',
) -> LungMethod:
    """Load a lung segmentation method.

    Args:
        name: 'threshold' (no weights needed), 'model' (a trained ``LungSegmentor``), 'hybrid' (see
            ``HybridLungs``), or 'lungmask' (the package of Hofmanninger et al. 2020). Default: with
            a model 'hybrid', for display values 'model'; without one 'threshold'.
        config: Config file of the model.
        checkpoint: Weights of the model, or a state dict of lungmask. Nothing is downloaded.
        intensity: Values of the scans: 'hu', or 'display' for 8-bit images. Only 'model' takes
            'display'.

    Raises:
        ValueError: If the method is unknown, lacks a file or a package, takes none of what is
            given, does not take the intensity, or the config is of another kind of model.
        CheckpointError: If the checkpoint is damaged, unsafe or of another network.
    """
    name = name or _default(intensity, config)
    if name not in METHODS:
        raise ValueError(f'method {name!r} does not exist: choose of {METHODS}')
    if intensity != 'hu' and name != 'model':
        raise ValueError(f"method {name!r} needs HU: take 'model' for display values")
    if name == 'threshold':
        if config or checkpoint:
            raise ValueError(
                f"method 'threshold' takes no model, and {config or checkpoint} was given: name "
                "another method, or leave it out; 'model' and 'hybrid' need config and checkpoint"
            )
        return THRESHOLD_METHOD
    if checkpoint is None or (name != 'lungmask' and config is None):
        needed = 'its weights' if name == 'lungmask' else 'config and checkpoint of a lung model'
        raise ValueError(
            f'method {name!r} needs {needed}, and nothing is downloaded: give them with '
            '--lung-checkpoint and --lung-config of infer, --checkpoint and --config of prepare'
        )
    files = [Path(path) for path in (config, checkpoint) if path is not None]
    if missing := [str(path) for path in files if not path.is_file()]:
        raise ValueError(f'{missing} not found: method {name!r} reads them')
    hashes = tuple(file_sha256(path) for path in files)
    if name == 'lungmask':
        return LungMethod(_lungmask(Path(checkpoint)), name, hashes)
    model = init_model(str(config), checkpoint)
    if not isinstance(model, LungSegmentor):
        raise ValueError(
            f'{config} is a {type(model).__name__}, not a lung model: see configs/lung'
        )
    find: FindLungs = LungExtractor(model, intensity)
    if name == 'hybrid':
        find, hashes = HybridLungs(LungExtractor(model)), (*hashes, *THRESHOLD_METHOD.sha256)
    return LungMethod(find, name, hashes, intensity)


def _default(intensity: str, config: str | Path | None) -> str:
    if config is None:
        return 'threshold'
    return 'hybrid' if intensity == 'hu' else 'model'


def _lungmask(weights: Path) -> FindLungs:
    """Return the segmentation of the package lungmask with the given weights."""
    with warnings.catch_warnings():  # lungmask silences every UserWarning of the process
        need_extra('lungmask', 'lungmask', "method 'lungmask'")
        from lungmask import LMInferer
    try:  # lungmask would load a pickle in whatever mode torch chooses
        load_tensors(weights)
    except Exception as error:  # whatever a broken file makes the reader stumble over
        raise ValueError(f'{weights} holds no plain weights: download them again') from error
    inferer = LMInferer(modelpath=str(weights), tqdm_disable=True)

    def find(scan: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
        return inferer.apply(scan) > 0

    return find
