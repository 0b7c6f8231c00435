"""The systems of Tables III to V with the values that the paper gives for them.

The paper measured its values on its own private data. Not every value of the paper was available
to us, so a row without values here may have some there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACC, SENS, SPEC, AUC, PATIENT_AUC = (
    f'cls/{name}'
    for name in (
        'accuracy_slice',
        'sensitivity_macro_slice',
        'specificity_macro_slice',
        'auc_macro_slice',
        'auc_macro_patient',
    )
)
DICE, IOU = 'seg/dice_slice_mean', 'seg/iou_slice_mean'
INFECTED, PATIENT = 'seg/dice_infected_slice_mean', 'seg/dice_infected_patient_mean'
NSD, HD95 = 'seg/nsd_3mm_infected_slice_mean', 'seg/hd95_mm_hit_slice_mean'
HIT = 'seg/hit_slice_share'
Options = dict[str, Any]


def no_options(epochs: int) -> Options:
    """Return no options: the config stays as it is."""
    return {}


@dataclass(frozen=True)
class System:
    """A system of the comparison.

    Attributes:
        title: Name in the tables.
        config: Path below ``configs``; the file takes its scale from XAICOVID_SCALE.
        paper: Metric to the value in the paper.
        options: Maps the number of epochs to options that override the config.
    """

    title: str
    config: str
    paper: dict[str, float] = field(default_factory=dict)
    options: Callable[[int], Options] = no_options


def _keep_five_checkpoints(epochs: int) -> Options:
    """Keep five checkpoints over the run, for Fig. 5."""
    return {'default_hooks.checkpoint.keep_every': max(epochs // 5, 1)}


def _paper(*values: float) -> dict[str, float]:
    return dict(zip((ACC, SENS, SPEC, AUC, DICE, IOU), values, strict=True))


def _masks(dice: float, iou: float) -> dict[str, float]:
    return {DICE: dice, IOU: iou}


def _start_cam_loss(share: float) -> Callable[[int], Options]:
    return lambda epochs: {'default_hooks.cam_loss_start.begin': round(share * epochs)}


SYSTEMS = {
    'vgg16': System('VGG-16', 'comparison/vgg16.py'),
    'resnet18': System('ResNet-18', 'comparison/resnet18.py'),
    'hu': System('Hu et al.', 'comparison/hu.py'),
    'segnet': System('SegNet', 'comparison/segnet.py', _masks(0.7564, 0.6731)),
    'unet': System('U-Net', 'comparison/unet.py', _masks(0.7890, 0.7052)),
    'unet_narrow': System('U-Net, our widths', 'comparison/unet_narrow.py'),
    'jcs': System('JCS', 'comparison/jcs.py', _masks(0.7971, 0.7136)),
    'pseudo_label': System('Pseudo-Label', 'comparison/pseudo_label.py', {AUC: 0.8810}),
    'pseudoseg': System('PseudoSeg', 'comparison/pseudoseg.py', _masks(0.8288, 0.7399)),
    'multimix': System('MultiMix', 'comparison/multimix.py', _masks(0.8480, 0.7617)),
    'mean_teacher': System('Mean Teacher', 'comparison/mean_teacher.py'),
    'fixmatch': System('FixMatch', 'comparison/fixmatch.py'),
    'ours_sup': System(
        'Ours, supervised', 'comparison/ours_sup.py', {AUC: 0.8851} | _masks(0.8453, 0.7590)
    ),
    'ours_semi': System(
        'Ours, semi-supervised',
        'comparison/ours_semi.py',
        _paper(0.7513, 0.7635, 0.8689, 0.8748, 0.8549, 0.7697),
        _keep_five_checkpoints,
    ),
    'ours_weak': System(
        'Ours, weakly supervised',
        'comparison/ours_weak.py',
        _paper(0.7722, 0.7801, 0.8797, 0.8948, 0.8367, 0.7492),
    ),
    **{
        f'{setting}{part}': System(f'{title}, w/o {what}', f'ablation/{setting}{part}.py')
        for setting, title in (('', 'Semi'), ('weak_', 'Weak'))
        for part, what in (
            ('wo_cam_loss', 'CAM loss'),
            ('wo_saliency', 'saliency map'),
            ('wo_sharpen', 'sharpen'),
            ('wo_multiscale', 'multi-scale'),
        )
    },
    'bn_sup': System('Ours, supervised, batch norm', 'ablation/bn_sup.py'),
    'bn_semi': System('Ours, semi-supervised, batch norm', 'ablation/bn_semi.py'),
    'bn_pseudoseg': System('PseudoSeg, batch norm', 'ablation/bn_pseudoseg.py'),
    'slice_noise': System('Weak, slice-noise remedy (ours)', 'ablation/slice_noise.py'),
    **{
        f'cam_start_{share:g}': System(
            f'CAM loss from {share:.0%} of the epochs',
            'comparison/ours_sup.py',
            options=_start_cam_loss(share),
        )
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1)
    },
}

FURTHER = ('mean_teacher', 'fixmatch')
BATCH_NORM = ('bn_sup', 'bn_semi')
CAM_STARTS = tuple(name for name in SYSTEMS if name.startswith('cam_start_'))


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        title: Heading.
        rows: Names of systems.
        columns: Title of a column to its metric.
    """

    title: str
    rows: tuple[str, ...]
    columns: dict[str, str]


_CLASS = {'Accuracy': ACC, 'Sensitivity': SENS, 'Specificity': SPEC, 'AUC': AUC}
TABLES = (
    Table(
        'Table III: classification of slices',
        ('vgg16', 'resnet18', 'hu', 'jcs', 'pseudo_label', 'multimix', 'ours_sup', 'ours_semi'),
        _CLASS | {'AUC of patients': PATIENT_AUC},
    ),
    Table(
        'Table IV: infection',
        (
            'segnet',
            'unet',
            'unet_narrow',
            'jcs',
            'pseudoseg',
            'bn_pseudoseg',
            'multimix',
            *FURTHER,
            *BATCH_NORM,
            'ours_sup',
            'ours_semi',
        ),
        {
            'Dice': DICE,
            'mIoU': IOU,
            'Dice, infected slices': INFECTED,
            'Dice, infected patients': PATIENT,
            'NSD 3 mm': NSD,
            'HD95 mm': HD95,
            'slices hit': HIT,
        },
    ),
    Table(
        'Table V: parts of the method',
        tuple(name for name in SYSTEMS if 'wo_' in name or name == 'slice_noise')
        + (*BATCH_NORM, 'ours_sup', 'ours_semi', 'ours_weak'),
        _CLASS | {'Dice': DICE, 'mIoU': IOU},
    ),
    Table('Fig. 6: start of the CAM loss', CAM_STARTS, {'AUC': AUC}),
)
"""The tables. Columns have the paper's titles; its averages, as we read them, come first."""


def choose_systems(rows: list[str] | None) -> dict[str, System]:
    """Return the systems with the given names; default: all.

    Raises:
        ValueError: If a name does not exist.
    """
    if unknown := sorted(set(rows or []) - set(SYSTEMS)):
        raise ValueError(f'--rows {unknown} are not there: choose of {", ".join(SYSTEMS)}')
    return {name: SYSTEMS[name] for name in rows or SYSTEMS}
