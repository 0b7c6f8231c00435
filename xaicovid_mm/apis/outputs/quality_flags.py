"""What a reader of a prediction should know about the scan it stands on."""

from collections.abc import Sequence

from ...data_prep.quality.issue import QualityIssue
from ..model_folder.deployed_model import DeployedModel

FEW_SLICES = 10


def quality_flags(
    findings: Sequence[QualityIssue], slices: int, served: DeployedModel
) -> list[dict[str, str]]:
    """What lowers the trust in a prediction, each with ``code`` and ``text``.

    Args:
        findings: Of the door, on the scan.
        slices: That were shown to the network.
        served: The model.
    """
    found = {finding.code: finding.text for finding in findings}
    if slices < FEW_SLICES:
        found['few slices'] = f'{slices} slices show lung'
    if not served.provenance.get('calibrated'):
        found['uncalibrated'] = (
            'nobody has fitted a temperature to this model: its confidence is what the network '
            'says, not how often it is right'
        )
    if served.preprocessing['intensity'] == 'display':
        found['other intensities'] = (
            'the model was trained on display values: the scan was windowed and equalised like '
            'them, which is not the same as having been made that way'
        )
    return [dict(code=code, text=text) for code, text in found.items()]
