"""A model with all that it takes to use it on a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine import Config

from ...classes import CLASSES
from ...data_prep.slicing.slices import SliceSpec
from ...explain import FusedActivation, Saliency
from ...models import MultiTaskModel
from ...utils.files import file_sha256
from ..init_model import init_model
from .description import explanation, preprocessing
from .files import WEIGHTS, read_model_folder


@dataclass
class DeployedModel:
    """A network, and how scans become its slices and its answers a patient's.

    Attributes:
        model: In eval mode.
        classes: Names, in the order of its logits.
        preprocessing: ``size``, ``intensity``, ``window``, ``lung_fill``, ``prepared``.
        temperature: Divides the logits; 1 where nobody has fitted it.
        aggregation: From slices to a patient.
        activation: Makes CAAM_l and CAM.
        saliency: Makes the saliency.
        provenance: What the model is, for files that outlive it.
    """

    model: MultiTaskModel
    classes: list[str]
    preprocessing: dict[str, Any]
    temperature: float
    aggregation: str
    activation: FusedActivation
    saliency: Saliency
    provenance: dict[str, Any]

    @classmethod
    def from_folder(cls, folder: str | Path) -> 'DeployedModel':
        """Take a folder of ``tools/publish_model.py``; raises what ``read_model_folder`` does."""
        model, said = read_model_folder(folder)
        calibration, explained = said['calibration'], said['explanation']
        return cls(
            model,
            said['classes'],
            said['preprocessing'],
            calibration['temperature'],
            calibration['aggregation'],
            FusedActivation(**explained.get('activation', {})),
            Saliency(**explained.get('saliency', {})),
            dict(
                said['provenance'],
                weights_sha256=said['weights_sha256'],
                file=f'{Path(folder).name}/{WEIGHTS}',
                calibrated=True,
            ),
        )

    @classmethod
    def from_checkpoint(cls, cfg: Config, checkpoint: str | Path) -> 'DeployedModel':
        """Take a training checkpoint and the config and store of its run, uncalibrated."""
        explained = explanation(cfg)
        return cls(
            init_model(cfg, checkpoint),
            list(CLASSES),
            preprocessing(cfg),
            1.0,
            'mean',
            FusedActivation(**explained.get('activation', {})),
            Saliency(**explained.get('saliency', {})),
            dict(
                checkpoint_sha256=file_sha256(checkpoint),
                file=Path(checkpoint).name,
                calibrated=False,
            ),
        )

    @property
    def slicing(self) -> SliceSpec:
        """How its scans become slices."""
        made = self.preprocessing['prepared']
        spacing = made.get('spacing_mm')
        return SliceSpec(
            size=self.preprocessing['size'][0],
            spacing_mm=None if spacing is None else tuple(spacing),
            crop_lung=made.get('crop_lung'),
            min_lung_px=made.get('min_lung_px', 100),
        )
