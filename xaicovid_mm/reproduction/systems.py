"""The systems of Tables III to V and of the benchmark, and the tables of the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .columns import (
    ACC,
    AUC,
    DICE,
    DICE_INFECTED_PATIENT,
    DICE_INFECTED_SLICE,
    HD95,
    HIT,
    IOU,
    NSD,
    PATIENT_AUC,
    SENS,
    SPEC,
)

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
        options: Maps the number of epochs to options that override the config.
    """

    title: str
    config: str
    options: Callable[[int], Options] = no_options


def _keep_five_checkpoints(epochs: int) -> Options:
    """Keep five checkpoints over the run, for Fig. 5."""
    return {'default_hooks.checkpoint.keep_every': max(epochs // 5, 1)}


def _start_cam_loss(share: float) -> Callable[[int], Options]:
    return lambda epochs: {'default_hooks.cam_loss_start.begin': round(share * epochs)}


PARTS = {
    'wo_cam_loss': 'CAM loss',
    'wo_saliency': 'saliency map',
    'wo_sharpen': 'sharpen',
    'wo_multiscale': 'multi-scale',
}
"""Rows of Table V, and what they leave out."""
SYSTEMS = {
    'vgg16': System('VGG-16', 'comparison/vgg16.py'),
    'resnet18': System('ResNet-18', 'comparison/resnet18.py'),
    'hu': System('Hu et al.', 'comparison/hu.py'),
    'segnet': System('SegNet', 'comparison/segnet.py'),
    'unet': System('U-Net', 'comparison/unet.py'),
    'unet_narrow': System('U-Net, our widths', 'comparison/unet_narrow.py'),
    'jcs': System('JCS', 'comparison/jcs.py'),
    'pseudo_label': System('Pseudo-Label', 'comparison/pseudo_label.py'),
    'pseudoseg': System('PseudoSeg', 'comparison/pseudoseg.py'),
    'multimix': System('MultiMix', 'comparison/multimix.py'),
    'mean_teacher': System('Mean Teacher', 'comparison/mean_teacher.py'),
    'fixmatch': System('FixMatch', 'comparison/fixmatch.py'),
    'unimatch': System('UniMatch', 'comparison/unimatch.py'),
    'paper_semi': System("The paper's configuration", 'comparison/paper_semi.py'),
    'oracle': System('Oracle (true masks; an upper bound)', 'comparison/oracle.py'),
    'ours_sup': System('Ours, supervised', 'comparison/ours_sup.py'),
    'ours_semi': System('Ours, semi-supervised', 'comparison/ours_semi.py', _keep_five_checkpoints),
    'ours_weak': System('Ours, weakly supervised', 'comparison/ours_weak.py'),
    **{
        f'{setting}{part}': System(f'{title}, w/o {what}', f'ablation/{setting}{part}.py')
        for setting, title in (('', 'Semi'), ('weak_', 'Weak'))
        for part, what in PARTS.items()
    },
    **{
        f'recommended_wo_{part}': System(
            f'Recommended, w/o {what}', f'ablation/recommended_wo_{part}.py'
        )
        for part, what in (
            ('map_loss', 'guidance of the class maps'),
            ('saliency', 'saliency map'),
            ('calibration', 'calibration'),
            ('multiscale', 'several scales'),
            ('ema', 'average of the weights'),
            ('dice', 'Dice term'),
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

FURTHER = ('mean_teacher', 'fixmatch', 'unimatch')
RECOMMENDED_PARTS = tuple(name for name in SYSTEMS if name.startswith('recommended_wo_'))
SCALES = {'quick': 'quick', 'real': 'real_ct', 'paper': '.'}
"""Name of a scale to the folder of configs that defines it."""
RECIPES = {
    'paper': dict(XAICOVID_SEMI='semi_vgg', XAICOVID_SUPERVISED='supervised_vgg'),
    'recommended': dict(
        XAICOVID_SEMI='recommended_semi', XAICOVID_SUPERVISED='recommended_supervised'
    ),
}
"""Name of a recipe to the configs of a scale that the compared systems build on, as variables."""
BENCHMARK = (
    'segnet',
    'unet',
    'unet_narrow',
    'jcs',
    'pseudoseg',
    'multimix',
    *FURTHER,
    'paper_semi',
    'oracle',
    'ours_sup',
    'ours_semi',
)
"""Rows of label efficiency: all of Table IV, and what stands beside them."""
BATCH_NORM = ('bn_sup', 'bn_semi')
CAM_STARTS = tuple(name for name in SYSTEMS if name.startswith('cam_start_'))


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        title: Heading.
        paper: Number of the paper's table in ``PAPER``; empty if the paper has none.
        rows: Names of systems.
        columns: Title of a column to its metric.
    """

    title: str
    paper: str
    rows: tuple[str, ...]
    columns: dict[str, str]


_CLASS = {'Accuracy': ACC, 'Sensitivity': SENS, 'Specificity': SPEC, 'AUC': AUC}
TABLES = (
    Table(
        'Table III: classification of slices',
        'III',
        ('vgg16', 'resnet18', 'hu', 'jcs', 'pseudo_label', 'multimix', 'ours_sup', 'ours_semi'),
        _CLASS | {'AUC of patients': PATIENT_AUC},
    ),
    Table(
        'Table IV: infection',
        'IV',
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
            'paper_semi',
            'oracle',
            'ours_sup',
            'ours_semi',
        ),
        {
            'Dice': DICE,
            'mIoU': IOU,
            'Dice, infected slices': DICE_INFECTED_SLICE,
            'Dice, infected patients': DICE_INFECTED_PATIENT,
            'NSD 3 mm': NSD,
            'HD95 mm': HD95,
            'slices hit': HIT,
        },
    ),
    Table(
        'Table V: parts of the method',
        'V',
        (*(f'{setting}{part}' for setting in ('', 'weak_') for part in PARTS), 'slice_noise')
        + (*BATCH_NORM, 'ours_sup', 'ours_semi', 'ours_weak'),
        _CLASS | {'Dice': DICE, 'mIoU': IOU},
    ),
    Table(
        'Parts of the recommended recipe',
        '',
        (*RECOMMENDED_PARTS, 'ours_sup', 'ours_semi'),
        {'AUC': AUC, 'Dice': DICE, 'Dice, infected slices': DICE_INFECTED_SLICE}
        | {'Dice, infected patients': DICE_INFECTED_PATIENT},
    ),
    Table('Fig. 6: start of the CAM loss', '', CAM_STARTS, {'AUC': AUC}),
)
"""The tables. Columns have the paper's titles; its averages, as we read them, come first."""


def choose_systems(rows: Sequence[str] | None) -> dict[str, System]:
    """Return the systems with the given names; default: all but parts of the recommended recipe.

    Raises:
        ValueError: If a name does not exist.
    """
    if unknown := sorted(set(rows or []) - set(SYSTEMS)):
        raise ValueError(f'--rows {unknown} are not there: choose of {", ".join(SYSTEMS)}')
    default = [name for name in SYSTEMS if name not in RECOMMENDED_PARTS]
    return {name: SYSTEMS[name] for name in rows or default}
