"""A model with the settings that are needed to apply it to a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine import Config

from ...classes import CLASSES
from ...data_prep.slicing.slices import SliceSpec
from ...engine.trained_model import trained_model
from ...explain import FusedActivation, Saliency
from ...models import MultiTaskModel
from ...utils.files import file_sha256
from .description import THRESHOLD, explanation, preprocessing
from .files import DESCRIPTION, WEIGHTS, ModelFolderError, read_model_folder
from .limits import check_size

NEEDED = ('classes', 'explanation', 'preprocessing', 'calibration', 'provenance')
"""Parts of a description without which a model cannot be applied to a scan."""


@dataclass(kw_only=True)
class DeployedModel:
    """A network, how a scan becomes its input, and how its outputs become a patient's.

    Attributes:
        model: The network, in eval mode.
        classes: Class names in the order of the logits.
        preprocessing: ``size`` (H, W), ``intensity``, ``window``, ``lung_fill``, ``prepared``.
        temperature: Divides the class logits of a slice; 1 if none was fitted.
        patient_temperature: Divides the logits of a patient's probabilities; 1 if none was fitted.
        aggregation: How slices are combined to a patient, see ``aggregate``.
        activation: Computes CAAM_l.
        saliency: Computes the saliency map.
        threshold: From which probability on a pixel is infected; chosen on validation patients.
        provenance: Hashes and training facts that identify the model in output files.
    """

    model: MultiTaskModel
    classes: list[str]
    preprocessing: dict[str, Any]
    temperature: float
    aggregation: str
    activation: FusedActivation
    saliency: Saliency
    provenance: dict[str, Any]
    threshold: float = THRESHOLD
    patient_temperature: float = 1.0

    @classmethod
    def from_folder(cls, folder: str | Path) -> 'DeployedModel':
        """Load a model folder of ``tools/publish_model.py``.

        Raises:
            ModelFolderError: As ``read_model_folder`` does; or if the description lacks a part, or
                the network does not take slices of its size.
        """
        model, description = read_model_folder(folder)
        if missing := [part for part in NEEDED if part not in description]:
            raise ModelFolderError(f'{folder} has no {missing} in {DESCRIPTION}: publish it again')
        confidence, settings = description['calibration'], description['explanation']
        size = description['preprocessing']['size']
        try:
            check_size(model, size, len(description['classes']))
            activation, saliency = _explainers(settings)
        except Exception as error:  # of any part of the network
            raise ModelFolderError(f'{folder} cannot be used: {error}') from error
        return cls(
            model=model,
            classes=description['classes'],
            preprocessing=description['preprocessing'],
            temperature=confidence['temperature'],
            patient_temperature=confidence.get('patient_temperature', 1.0),
            aggregation=confidence['aggregation'],
            activation=activation,
            saliency=saliency,
            threshold=description.get('threshold', THRESHOLD),
            provenance=dict(
                description['provenance'],
                weights_sha256=description['weights_sha256'],
                file=f'{Path(folder).name}/{WEIGHTS}',
                calibrated=confidence.get('calibrated', False),
                uncalibrated_because=confidence.get('reason', ''),
                threshold=description.get('threshold', THRESHOLD),
            ),
        )

    @classmethod
    def from_checkpoint(cls, cfg: Config, checkpoint: str | Path) -> 'DeployedModel':
        """Load a training checkpoint; no temperature is fitted.

        Args:
            cfg: Config of the run. Its slice store must still exist: it says how slices are made.
            checkpoint: File written by the run.

        Raises:
            CheckpointError: If the checkpoint is damaged, unsafe or of another network.
            StoreError: If the store is missing.
        """
        activation, saliency = _explainers(explanation(cfg))
        return cls(
            model=trained_model(cfg, checkpoint),
            classes=list(CLASSES),
            preprocessing=preprocessing(cfg),
            temperature=1.0,
            aggregation='mean',
            activation=activation,
            saliency=saliency,
            provenance=dict(
                checkpoint_sha256=file_sha256(checkpoint),
                file=Path(checkpoint).name,
                calibrated=False,
                threshold=THRESHOLD,
            ),
        )

    @property
    def slicing(self) -> SliceSpec:
        """How a scan is cut into slices for the network."""
        prepared = self.preprocessing['prepared']
        spacing = prepared.get('spacing_mm')
        return SliceSpec(
            size=self.preprocessing['size'][0],
            spacing_mm=None if spacing is None else tuple(spacing),
            crop_lung=prepared.get('crop_lung'),
            min_lung_px=prepared.get('min_lung_px', 100),
        )


def _explainers(settings: dict[str, Any]) -> tuple[FusedActivation, Saliency]:
    """Build what explains a slice, of its settings as ``explanation`` gives them."""
    activation = FusedActivation(**settings.get('activation', {}))
    return activation, Saliency(**settings.get('saliency', {}))
