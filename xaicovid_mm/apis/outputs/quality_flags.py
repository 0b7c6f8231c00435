"""Flags of a prediction: why its reader should trust it less."""

from collections.abc import Iterator, Sequence
from typing import Any

from ...classes import CLASSES, COVID, NP
from ...data_prep.quality.issue import QualityIssue
from ...evaluation.referral import FAILURES
from ...utils.words import counted
from ..model_folder.deployed_model import DeployedModel
from ..model_folder.training_record import outside_ranges
from .map_trust import NEAR_CHANCE

FEW_SLICES = 10
LOW_MARGIN = 0.2
"""Difference of the two highest class probabilities."""
CLEAN_ML = 5.0
"""More infection than this does not go with the class NP, ml."""
OUTSIDE = 0.5
"""Share of a map outside the lungs."""
DOUBTS = {
    'margin': 'two classes are nearly as likely',
    'mask': 'the mask is unsure',
    'conflict': 'class and mask do not agree',
}
"""Parts of the doubt in words, see ``Doubt``."""
GRAVE = ('trained on phantoms', 'unlike the training data')
"""Codes that a page shows in a red banner."""
Flag = tuple[str, str]
"""Code and text."""


def quality_flags(
    issues: Sequence[QualityIssue],
    model: DeployedModel,
    *,
    facts: dict[str, float],
    prediction: dict[str, Any],
) -> list[dict[str, str]]:
    """Return what lowers the trust in a prediction, each flag with ``code`` and ``text``.

    Args:
        issues: Issues that ``inspect_scan`` reports of the scan.
        model: The model that predicted.
        facts: Of the scan, see ``scan_facts``.
        prediction: ``patient``, ``referral``, ``burden``, ``trust`` and ``slices`` of
            ``prediction.json``.
    """
    flags = [
        *_training_flags(model, facts),
        *_referral_flags(prediction['referral']),
        *_decision_flags(prediction),
        *((issue.code, issue.text) for issue in issues),
        *_map_flags(prediction['trust']),
        *_model_flags(model),
    ]
    return [dict(code=code, text=text) for code, text in flags]


def _training_flags(model: DeployedModel, facts: dict[str, float]) -> Iterator[Flag]:
    record = model.training
    if record is None:
        yield (
            'training data unknown',
            'the model folder does not say what the model was trained on, so nobody can tell '
            'whether this scan is like it: publish the model again',
        )
        return
    if record['phantom']:
        yield (
            'trained on phantoms',
            'this model has only seen phantoms, chests made by a computer: what it says of a '
            'patient means nothing',
        )
    if outside := outside_ranges(record, facts):
        yield 'unlike the training data', '; '.join(outside)


def _referral_flags(referral: dict[str, Any]) -> Iterator[Flag]:
    if not referral['refer']:
        return
    why = dict(wrong_class=f' (most of it: {DOUBTS[referral["because"]]})', missed_mask='')
    texts = [
        f'the doubt in its {shown} is {referral[failure]["score"]:.2f}{why[failure]}, and from '
        f'{referral[failure]["threshold"]:.2f} on it failed too often in validation'
        for failure, shown in zip(FAILURES, ('class', 'mask'), strict=True)
        if referral[failure]['refer']
    ]
    yield 'refer to a radiologist', '; '.join(texts)


def _decision_flags(prediction: dict[str, Any]) -> Iterator[Flag]:
    patient, ml = prediction['patient'], prediction['burden']['total']['infection_ml']
    first, second = sorted(patient['probabilities'].values(), reverse=True)[:2]
    if first - second < LOW_MARGIN:
        yield (
            'low margin',
            f'the two most likely classes have {first:.0%} and {second:.0%}, less than '
            f'{LOW_MARGIN:.0%} apart',
        )
    if patient['label'] == CLASSES[NP] and ml > CLEAN_ML:
        yield (
            'class against mask',
            f'the class is {CLASSES[NP]}, and {ml:.1f} ml are marked as infected (more than '
            f'{CLEAN_ML:g} ml)',
        )
    if patient['label'] == CLASSES[COVID] and not ml:
        yield 'class against mask', f'the class is {CLASSES[COVID]}, and no voxel is marked'
    if (count := len(prediction['slices'])) < FEW_SLICES:
        yield 'few slices', f'lung in {counted(count, "slice")}, fewer than {FEW_SLICES}'


def _map_flags(trust: dict[str, dict[str, Any]]) -> Iterator[Flag]:
    aucs = {name: t['auc'] for name, t in trust.items() if t['auc'] is not None}
    if near := [f'{name} {auc:.2f}' for name, auc in aucs.items() if auc < NEAR_CHANCE]:
        yield (
            'maps at chance',
            f'inside the lungs these find the segmented infection no better than chance, AUC '
            f'below {NEAR_CHANCE:g}: {", ".join(near)}',
        )
    shares = {name: t['energy_outside_lung'] or 0.0 for name, t in trust.items()}
    if beyond := [f'{name} {share:.0%}' for name, share in shares.items() if share > OUTSIDE]:
        yield (
            'maps outside the lungs',
            f'more than {OUTSIDE:.0%} of the map lies outside the lungs: {", ".join(beyond)}',
        )


def _model_flags(model: DeployedModel) -> Iterator[Flag]:
    fault = model.provenance.get('uncalibrated_because') or 'no temperature was fitted'
    if model.provenance.get('harmful_temperature'):
        yield 'harmful temperature', fault
    elif not model.provenance.get('calibrated'):
        yield (
            'uncalibrated',
            f'the confidence is what the network says, not how often it is right: {fault}',
        )
    if model.preprocessing['intensity'] == 'display':
        yield (
            'other intensities',
            'the model was trained on display values: the scan was windowed and equalised like '
            'them, which is not the same as having been made that way',
        )
