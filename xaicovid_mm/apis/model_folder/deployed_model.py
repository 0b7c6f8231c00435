"""A model with the settings that are needed to apply it to a scan."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine import Config

from ...classes import CLASSES
from ...data_prep.slicing.slices import SliceSpec
from ...engine.trained_model import trained_model
from ...evaluation.calibration_error import MIN_PER_BIN
from ...evaluation.explanation.report_maps import map_settings
from ...evaluation.mask_settings import mask_settings
from ...explain import FusedActivation, Saliency
from ...models import MultiTaskModel
from ...utils.files import file_sha256
from .allowed import MAP_SCORE
from .description import THRESHOLD, preprocessing
from .files import DESCRIPTION, WEIGHTS, ModelFolderError, read_model_folder
from .limits import check_size
from .training_record import training_record

NEEDED = ('classes', 'explanation', 'preprocessing', 'calibration', 'provenance')
"""Parts of a description without which a model cannot be applied to a scan."""
GOOD_ERROR = 0.1
"""Calibration error of patients up to which their confidence is called calibrated."""


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
        min_area: Share of a slice's pixels below which it is not infected, see ``infection_mask``.
        referral: From which score on a scan is referred to a radiologist, by failure, see
            ``referral``; None if that was not chosen.
        provenance: Hashes and training facts, and whether confidence is calibrated.
        training: What it was trained on, see ``training_record``; None if that is unknown.
        map_auc: AUC of its maps on validation patients, see ``measured_maps``.
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
    min_area: float = 0.0
    patient_temperature: float = 1.0
    referral: dict[str, float | None] = field(default_factory=dict)
    training: dict[str, Any] | None = None
    map_auc: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_folder(cls, folder: str | Path) -> 'DeployedModel':
        """Load a model folder of ``tools/publish_model.py``.

        Raises:
            ModelFolderError: As ``read_model_folder`` does; or if the description lacks a part, or
                the network does not take slices of its size.
        """
        model, description = read_model_folder(folder)
        if missing := [part for part in NEEDED if description.get(part) is None]:
            raise ModelFolderError(f'{folder} has no {missing} in {DESCRIPTION}: publish it again')
        confidence, settings = description['calibration'], description['explanation']
        size = description['preprocessing']['size']
        try:
            fault, harmful = calibration_fault(confidence)
            map_auc = measured_maps(description)
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
            min_area=description.get('min_area', 0.0),
            referral={
                failure: choice.get('threshold')
                for failure, choice in description.get('referral', {}).items()
            },
            provenance=dict(
                description['provenance'],
                weights_sha256=description['weights_sha256'],
                file=f'{Path(folder).name}/{WEIGHTS}',
                calibrated=not fault,
                uncalibrated_because=fault,
                harmful_temperature=harmful,
            ),
            training=description.get('training'),
            map_auc=map_auc,
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
        activation, saliency = _explainers(map_settings(cfg))
        return cls(
            model=trained_model(cfg, checkpoint),
            classes=list(CLASSES),
            preprocessing=preprocessing(cfg),
            temperature=1.0,
            aggregation='mean',
            activation=activation,
            saliency=saliency,
            min_area=mask_settings(cfg)['min_area'],
            provenance=dict(
                checkpoint_sha256=file_sha256(checkpoint),
                file=Path(checkpoint).name,
                calibrated=False,
            ),
            training=training_record(cfg),
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What tells the model from others in output files: provenance and settings of masks."""
        return dict(self.provenance, threshold=self.threshold, min_area=self.min_area)

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


def calibration_fault(calibration: dict[str, Any]) -> tuple[str, bool]:
    """Say why the confidence in a patient may not be called calibrated.

    Args:
        calibration: Of ``calibration_report``.

    Returns:
        The reason, empty if the confidence is good: a temperature was fitted to patients, and on
        patients left out it made the error no larger, and at most ``GOOD_ERROR``. And whether the
        temperature made the error larger.
    """
    if not calibration.get('calibrated'):
        return calibration.get('reason') or 'no temperature was fitted to patients', False
    used = calibration.get('patients', {}).get(calibration['aggregation'], {})
    before, after = used.get('ece_before'), used.get('ece_after')
    if before is None or after is None:
        few = f'that takes {MIN_PER_BIN} patients for each bin of confidence that is not empty'
        return f'a temperature was fitted to patients, and its error was not measured: {few}', False
    change = (
        f'on patients left out it changes the calibration error from {before:.3f} to {after:.3f}'
    )
    if after > before:
        return f'the temperature does harm: {change}', True
    if after > GOOD_ERROR:
        return f'the temperature is not enough: {change}, more than {GOOD_ERROR:g}', False
    return '', False


def measured_maps(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Find what the maps were worth on validation patients.

    Args:
        description: Of a model folder. Its validation scores may have those of
            ``ExplanationMetric``: the AUC of a map inside the lungs, averaged over patients.

    Returns:
        For 'caam', 'cam' and 'saliency', if measured: ``value``, ``low`` and ``high`` of the
        interval (or None) and number of ``patients`` (or None).

    Raises:
        ValueError: If such a score is no number in [0, 1], or its interval runs backwards.
    """
    found = {}
    for key, score in (description.get('validation') or {}).get('scores', {}).items():
        if not (match := MAP_SCORE.fullmatch(key)):
            continue
        numbers = {part: score.get(part) for part in ('value', 'low', 'high', 'patients')}
        ends = [numbers[part] for part in ('value', 'low', 'high') if numbers[part] is not None]
        if numbers['value'] is None or not all(0 <= end <= 1 for end in ends):
            raise ValueError(f'validation score {key} is {score}: an AUC lies in [0, 1]')
        if None not in (score.get('low'), score.get('high')) and score['low'] > score['high']:
            raise ValueError(f'validation score {key} is {score}: its interval runs backwards')
        found[{'class_map': 'cam'}.get(match[1], match[1])] = numbers
    return found


def _explainers(settings: dict[str, Any]) -> tuple[FusedActivation, Saliency]:
    """Build what explains a slice, of its settings as ``map_settings`` gives them."""
    activation = FusedActivation(**settings.get('activation', {}))
    return activation, Saliency(**settings.get('saliency', {}))
