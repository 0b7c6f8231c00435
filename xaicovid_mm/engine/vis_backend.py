"""What writes curves and pictures of a run: files that are whole or not there."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine import Config
from mmengine.visualization import LocalVisBackend as MMEngineBackend

from ..registry import VISBACKENDS
from ..utils.extras import need_extra
from ..utils.files import write_bytes

EXTRA_OF = {'TensorboardVisBackend': 'tensorboard', 'WandbVisBackend': 'wandb'}
"""What writes curves for another program, to its package and extra."""


def need_programs(backends: Iterable[Mapping[str, Any]]) -> None:
    """Check that the programs which backends of a config write for are installed.

    Raises:
        MissingExtraError: If one is not, with the line that installs it.
    """
    for kind in (backend['type'] for backend in backends):
        if kind in EXTRA_OF:
            need_extra(EXTRA_OF[kind], EXTRA_OF[kind], kind)


@VISBACKENDS.register_module()
class LocalVisBackend(MMEngineBackend):
    """Writes pictures and scalars below the work dir.

    Scalars are appended line by line; whatever reads them skips a last line that was cut off.
    """

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Write nothing: the config is in the work dir."""

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Write an RGB image, uint8 (H, W, 3), as PNG, whole or not at all."""
        folder = self.experiment._img_save_dir
        _, png = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        path = Path(folder, f'{name}_{step}.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, png.tobytes())
