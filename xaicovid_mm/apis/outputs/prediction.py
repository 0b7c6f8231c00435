"""What is predicted of a scan, as ``prediction.json`` holds it."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import __version__
from ...classes import CLASSES, COVID
from ...data_prep.io.scan import scan_sha256
from ...data_prep.quality.issue import QualityIssue
from ...data_prep.slicing.slices import CaseSlices
from ...data_prep.volume import Volume
from ...evaluation.aggregation import aggregate
from ...evaluation.referral import doubt, referral
from ...evaluation.temperature_scaling import apply_temperature
from ..decisive_slices import decision_rule, decisive_text
from ..model_folder.deployed_model import DeployedModel
from ..model_folder.training_record import scan_facts, some
from ..scan_slices import slice_heights_mm
from ..slice_predictor import INFECTION_SALIENCY, MAP_NAMES, SlicePredictions
from .infection_burden import infection_burden
from .map_trust import map_trust
from .quality_flags import quality_flags
from .viewer_data import ShownScan


def scan_prediction(
    shown: ShownScan,
    model: DeployedModel,
    issues: list[QualityIssue],
    *,
    case: str,
    scan_path: str | Path,
    reading_sha256: str,
    lungs: dict[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return the content of ``prediction.json``. It holds nothing of the name of the scan's file.

    Args:
        shown: The scan with what was found in it.
        model: The model that found it.
        issues: Of the inspection of the scan.
        case: Name of the case.
        scan_path: File or folder of the scan, whose sha256 is given.
        reading_sha256: See ``CTInferencer.reading_sha256``.
        lungs: How the lungs were found.
        seconds: Time of each stage; stages that end later are added to it.
    """
    scan, slices, predicted = shown.scan, shown.slices, shown.predicted
    prediction: dict[str, Any] = dict(
        case=case,
        patient=_patient(predicted, model),
        referral=_referral(predicted, model),
        burden=infection_burden(shown.infection, shown.lung, scan.spacing_mm),
        trust=_trust(predicted, slices.lung, model),
        saliency=_saliency(predicted, model),
        slices=_slice_entries(shown, model),
        model=dict(model.identity, training=model.training),
        lungs=lungs,
        input=dict(_input(scan_path, scan), reading_sha256=reading_sha256),
        versions=_versions(),
        seconds=seconds,
    )
    prediction['decisive'] = _decisive(prediction, predicted, model)
    prediction['facts'] = _facts(scan, slices)
    prediction['flags'] = quality_flags(
        issues, model, facts=prediction['facts'], prediction=prediction
    )
    return prediction


def _patient(predicted: SlicePredictions, model: DeployedModel) -> dict[str, Any]:
    raw = aggregate(predicted.raw_scores, model.aggregation)
    probabilities = apply_temperature(raw[None], model.patient_temperature)[0]
    return dict(
        label=model.classes[int(probabilities.argmax())],
        confidence=round(float(probabilities.max()), 4),
        probabilities=_by_class(probabilities, model),
        aggregation=model.aggregation,
        calibrated=bool(model.provenance.get('calibrated')),
    )


def _referral(predicted: SlicePredictions, model: DeployedModel) -> dict[str, Any]:
    """The doubt in the scan, measured as on the validation patients."""
    found = doubt(
        aggregate(predicted.raw_scores, model.aggregation),
        prob_sum=float(predicted.prob.sum(dtype=np.float64)),
        prob_in_mask=float(predicted.prob[predicted.infected].sum(dtype=np.float64)),
        mask_pixels=float(predicted.infected.sum()),
    )
    return referral(found, model.referral)


def _trust(
    predicted: SlicePredictions, lung: np.ndarray, model: DeployedModel
) -> dict[str, dict[str, Any]]:
    """Measure the maps of the slices that have a saliency."""
    rows = predicted.explained
    return map_trust(
        {name: getattr(predicted, name)[rows] for name in MAP_NAMES},
        infection=predicted.infected[rows],
        lung=lung[rows],
        validation=model.map_auc,
    )


def _saliency(predicted: SlicePredictions, model: DeployedModel) -> dict[str, Any]:
    """How the saliency was made: settings of ``Saliency``, and the scores that it explains."""
    made = model.saliency
    what = 'logit' if made.output == 'logit' else 'probability'
    scores = {'saliency': f'{what} of {CLASSES[COVID]}'}
    if predicted.infection_saliency is not None:
        scores[INFECTION_SALIENCY] = 'mean logit of the infection over the predicted mask'
    settings = ('steps', 'rule', 'baseline', 'sign', 'percentile')
    return dict(explains=scores, **{name: getattr(made, name) for name in settings})


def _decisive(
    prediction: dict[str, Any], predicted: SlicePredictions, model: DeployedModel
) -> dict[str, Any]:
    """The slices that weigh most in the decision, and how all of them became one."""
    entries, label = prediction['slices'], prediction['patient']['label']
    title, text = decisive_text(len(entries), label, model.aggregation)
    chosen = [entries[position] for position in predicted.decisive]
    return dict(
        rule=decision_rule(len(entries), model.aggregation),
        title=title,
        text=text,
        slices=[
            dict(
                {key: entry[key] for key in ('source_slice', 'number', 'saliency')},
                score=entry['probabilities'][label],
            )
            for entry in chosen
        ],
    )


def _slice_entries(shown: ShownScan, model: DeployedModel) -> list[dict[str, Any]]:
    slices, predicted = shown.slices, shown.predicted
    heights = slice_heights_mm(shown.scan).round(2).tolist()
    return [
        dict(
            source_slice=int(source),
            number=len(heights) - int(source),
            z_mm=heights[source],
            probabilities=_by_class(scores, model),
            infected_percent_of_lung=round(100 * float(mask.sum() / max(lung.sum(), 1)), 2),
            saliency=bool(explained),
        )
        for source, scores, mask, lung, explained in zip(
            slices.source_slices,
            predicted.scores,
            predicted.infected,
            slices.lung,
            predicted.explained,
            strict=True,
        )
    ]


def _by_class(scores: np.ndarray, model: DeployedModel) -> dict[str, float]:
    return {name: round(float(score), 4) for name, score in zip(model.classes, scores, strict=True)}


def _facts(scan: Volume, slices: CaseSlices) -> dict[str, float]:
    """What is compared with the training data, measured as there."""
    voxel_ml = float(np.prod(slices.grid.scale) * np.prod(scan.spacing_mm)) / 1000
    part, lung_ml = some(len(slices.lung)), float(slices.lung.sum()) * voxel_ml
    facts = scan_facts(scan.spacing_mm, slices.image[part], slices.lung[part], lung_ml)
    return {name: round(value, 3) for name, value in facts.items()}


def _input(scan_path: str | Path, scan: Volume) -> dict[str, Any]:
    return dict(
        sha256=scan_sha256(scan_path),
        shape=list(scan.original_shape),
        spacing_mm=[round(float(mm), 4) for mm in scan.spacing_mm],
        affine=np.round(scan.affine, 4).tolist(),
        ignored_files=dict(scan.ignored),
    )


def _versions() -> dict[str, str]:
    return dict(
        xaicovid_mm=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
    )
