"""The maps that a report shows, as a config sets them."""

from typing import Any

from mmengine import Config

from ..mask_settings import mask_settings


def map_settings(cfg: Config) -> dict[str, dict[str, Any]]:
    """Return the settings of ``Saliency`` and ``FusedActivation`` that a config gives, if any.

    The map that is shown as CAAM_l is the CAAM, whichever map makes the pseudo labels.
    """
    labeler = (cfg.default_hooks.get('pseudo_label') or {}).get('labeler', {})
    settings = {k: dict(labeler[k]) for k in ('saliency', 'activation') if k in labeler}
    return {
        k: {n: v for n, v in s.items() if n not in ('type', 'source')} for k, s in settings.items()
    }


def report_maps(cfg: Config) -> dict[str, dict[str, Any]]:
    """Return the explainers of ``test --explain``: what is scored is what a report shows.

    They are the maps of a report, that of the infection, which it shows on request, and the
    decoder. A network may lack some.
    """
    settings = map_settings(cfg)
    saliency, activation = (settings.get(key, {}) for key in ('saliency', 'activation'))
    return dict(
        caam=dict(type='ActivationExplainer', source='caam', **activation),
        class_map=dict(type='ActivationExplainer', source='class', **activation),
        saliency=dict(type='SaliencyExplainer', **saliency),
        infection_saliency=dict(
            type='InfectionSaliencyExplainer', **mask_settings(cfg), **saliency
        ),
        decoder=dict(type='DecoderExplainer'),
    )
