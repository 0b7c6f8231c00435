"""Reliability diagram: accuracy against confidence. Not in the paper."""

import io

import numpy as np
from matplotlib.figure import Figure

from ..evaluation.calibration_error import reliability


def reliability_png(labels: np.ndarray, probs_by_name: dict[str, np.ndarray]) -> bytes:
    """Draw a reliability diagram with a curve per name, and return it as PNG.

    The area of a point is the number of patients in its bin.

    Args:
        labels: (N,) true classes of patients.
        probs_by_name: Name of a curve to class probabilities (N, C), for example before and after
            temperature scaling.
    """
    figure = Figure(figsize=(4.2, 4.2), layout='constrained')
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color='0.7', linewidth=1, label='perfect')
    for name, probs in probs_by_name.items():
        parts = reliability(probs, labels)
        sizes = [8 + 90 * part.number / len(labels) for part in parts]
        confidence, accuracy = [p.confidence for p in parts], [p.accuracy for p in parts]
        axis.plot(confidence, accuracy, linewidth=1, alpha=0.6)
        axis.scatter(confidence, accuracy, sizes, label=name)
    axis.set(xlabel='confidence', ylabel='share right', xlim=(0, 1), ylim=(0, 1.02))
    axis.set_title(f'{len(labels)} patients; area: number in the bin', fontsize=9)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()
