"""How a config's test makes a mask of a probability."""

from typing import Any

from mmengine import Config


def mask_settings(cfg: Config) -> dict[str, float]:
    """Return the ``threshold`` and ``min_area`` at which a config's ``InfectionMetric`` tests.

    Without one they are 0.5 and 0.
    """
    evaluators = cfg.test_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    named = (e for e in evaluators if e['type'] == 'InfectionMetric')
    metric: dict[str, Any] = next(named, {})
    return {
        'threshold': float(metric.get('threshold', 0.5)),
        'min_area': float(metric.get('min_area', 0.0)),
    }
