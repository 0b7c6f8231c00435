"""Make two strong views of an unlabelled slice, for UniMatch."""

from typing import Any

from ...registry import TRANSFORMS
from .strong_view import StrongView


@TRANSFORMS.register_module()
class TwoStrongViews(StrongView):
    """``StrongView`` twice, with draws of their own: ``results['strong']`` and ``'second'``."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Write ``strong`` and ``second``, float32 (H, W) in [0, 1], for an unlabelled slice."""
        if not results['is_labelled']:
            results['second'] = super().transform(results).pop('strong')
        return super().transform(results)
