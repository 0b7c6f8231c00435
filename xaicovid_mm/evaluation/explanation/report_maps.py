"""The maps that ``test --explain`` scores."""

from typing import Any

MAPS: dict[str, dict[str, Any]] = dict(
    caam=dict(type='ActivationExplainer', source='caam'),
    class_map=dict(type='ActivationExplainer', source='class'),
    saliency=dict(type='SaliencyExplainer', steps=8),
    infection_saliency=dict(type='InfectionSaliencyExplainer', steps=8),
    decoder=dict(type='DecoderExplainer'),
)
"""The maps of a report, that of the infection, which it shows on request, and the decoder. A
network may lack some."""
