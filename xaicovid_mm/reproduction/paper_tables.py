"""The values of Tables III, IV and V of the paper, by table and row.

They were measured on the paper's own private data: context, never a target.
"""

from .columns import ACC, AUC, DICE, IOU, SENS, SPEC

PaperTable = dict[str, dict[str, float]]
"""Name of a system to metric to value."""


def _table(metrics: tuple[str, ...], rows: dict[str, tuple[float, ...]]) -> PaperTable:
    return {name: dict(zip(metrics, values, strict=True)) for name, values in rows.items()}


_CLASS, _MASK = (ACC, SENS, SPEC, AUC), (DICE, IOU)

PAPER: dict[str, PaperTable] = {
    'III': _table(
        _CLASS,
        {
            'vgg16': (0.7065, 0.7293, 0.8465, 0.8600),
            'jcs': (0.7190, 0.7465, 0.8558, 0.8548),
            'resnet18': (0.7142, 0.7368, 0.8491, 0.8689),
            'hu': (0.7105, 0.7345, 0.8493, 0.8703),
            'pseudo_label': (0.7231, 0.7476, 0.8602, 0.8810),
            'multimix': (0.7291, 0.7437, 0.8569, 0.8701),
            'ours_sup': (0.7140, 0.7382, 0.8554, 0.8851),
            'ours_semi': (0.7513, 0.7635, 0.8689, 0.8748),
        },
    ),
    'IV': _table(
        _MASK,
        {
            'segnet': (0.7564, 0.6731),
            'unet': (0.7890, 0.7052),
            'jcs': (0.7971, 0.7136),
            'pseudoseg': (0.8288, 0.7399),
            'multimix': (0.8480, 0.7617),
            'ours_sup': (0.8453, 0.7590),
            'ours_semi': (0.8549, 0.7697),
        },
    ),
    'V': _table(
        (*_CLASS, *_MASK),
        {
            'wo_cam_loss': (0.7366, 0.7553, 0.8626, 0.8633, 0.8053, 0.7162),
            'wo_saliency': (0.7380, 0.7421, 0.8581, 0.8634, 0.8409, 0.7541),
            'wo_sharpen': (0.7465, 0.7590, 0.8663, 0.8597, 0.8214, 0.7328),
            'wo_multiscale': (0.7478, 0.7623, 0.8672, 0.8661, 0.8269, 0.7390),
            'ours_semi': (0.7513, 0.7635, 0.8689, 0.8748, 0.8549, 0.7697),
            'weak_wo_cam_loss': (0.7485, 0.7632, 0.8677, 0.8681, 0.8282, 0.7405),
            'weak_wo_saliency': (0.7488, 0.7649, 0.8684, 0.8690, 0.8257, 0.7382),
            'weak_wo_sharpen': (0.7554, 0.7701, 0.8715, 0.8817, 0.8335, 0.7458),
            'weak_wo_multiscale': (0.7500, 0.7616, 0.8675, 0.8745, 0.8464, 0.7605),
            'ours_weak': (0.7722, 0.7801, 0.8797, 0.8948, 0.8367, 0.7492),
        },
    ),
}
"""Number of a table to its values, as shares of 1."""
