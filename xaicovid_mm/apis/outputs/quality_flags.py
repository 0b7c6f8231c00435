"""Flags of a prediction: why its reader should trust it less."""

from collections.abc import Sequence

from ...data_prep.quality.issue import QualityIssue
from ..model_folder.deployed_model import DeployedModel

FEW_SLICES = 10


def quality_flags(
    issues: Sequence[QualityIssue], slice_count: int, model: DeployedModel
) -> list[dict[str, str]]:
    """Return what lowers the trust in a prediction, each flag with ``code`` and ``text``.

    Args:
        issues: Issues that ``inspect_scan`` reports of the scan.
        slice_count: Number of slices that the network got.
        model: The model that predicted.
    """
    texts = {issue.code: issue.text for issue in issues}
    if slice_count < FEW_SLICES:
        texts['few slices'] = f'{slice_count} slices show lung'
    if not model.provenance.get('calibrated'):
        because = model.provenance.get('uncalibrated_because') or 'nobody has tried'
        texts['uncalibrated'] = (
            f'no temperature was fitted to patients ({because}): the confidence is what the '
            'network says, not how often it is right'
        )
    if model.preprocessing['intensity'] == 'display':
        texts['other intensities'] = (
            'the model was trained on display values: the scan was windowed and equalised like '
            'them, which is not the same as having been made that way'
        )
    return [dict(code=code, text=text) for code, text in texts.items()]
