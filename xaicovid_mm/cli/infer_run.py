"""What ``tools/infer.py`` does once its arguments are read."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmengine.device import get_device
from rich.progress import track

from ..apis import CTInferencer
from ..apis.batch_inference import infer_all
from ..apis.ct_inferencer import EXPLAINED
from ..apis.lungs.methods import lung_method
from ..apis.model_folder.deployed_model import DeployedModel
from ..apis.outputs.cohort import CaseOutcome
from ..apis.outputs.dicom_seg import need_dicom
from ..data_prep.find_cases import find_cases
from ..data_prep.io.image_folder import ImageFolderSpec
from ..data_prep.lungs.mask_file import LungMethod
from ..engine.config import load_config
from ..utils.names import COHORT_PAGE
from ..utils.printable import one_line, printable
from ..utils.terminal import Console
from .paths import output_folder


def infer(args: argparse.Namespace) -> None:
    """Predict all scans, and end with code 1 if one of them failed.

    Args:
        args: As the parser of ``tools/infer.py`` gives them.
    """
    output_folder(args.out, '--out')
    cases = find_cases(args.inputs)
    if args.dicom_seg:
        for scan in cases.values():
            need_dicom(scan)
    pictured = _pictured(args)
    model = _model(args)
    model.model.to(_device(args.device))
    inferencer = CTInferencer(
        model,
        batch_size=args.batch_size,
        explain=_explained(args.explain),
        dicom_seg=args.dicom_seg,
        images=pictured,
        series=args.series,
        lung_values=args.lung_values,
        lungs=_lungs(args, len(cases)),
        uncertainty=args.uncertainty,
        infection_saliency=args.infection_saliency,
    )
    console = Console()
    begin = time.monotonic()
    outcomes = infer_all(
        inferencer,
        cases,
        args.out,
        lung=args.lung,
        workers=args.workers,
        resume=args.resume,
        progress=lambda names: track(names, 'reading scans', len(names), console=console),
        done=lambda outcome: _say(outcome, args.out, console),
    )
    console.print(_summary(outcomes, args.out), soft_wrap=True)
    predicted = sum(outcome.prediction is not None for outcome in outcomes)
    if len(outcomes) > 1 and predicted and not args.resume:  # which keeps some
        rate = 3600 * predicted / (time.monotonic() - begin)
        console.print(f'workers: {args.workers}, {rate:.0f} scans an hour')
    if predicted < len(outcomes):
        raise SystemExit(1)


def _explained(asked: int | str | None) -> int | None:
    if isinstance(asked, str):  # all
        return None
    return EXPLAINED if asked is None else asked


def _device(name: str | None) -> str:
    """Where the network runs; ``use_device`` hides all GPUs but the one that is named."""
    name = name or get_device()
    return 'cuda' if name.startswith('cuda') else name


def _pictured(args: argparse.Namespace) -> ImageFolderSpec | None:
    if not args.window and not args.spacing:
        return None
    if not (args.window and args.spacing):
        raise ValueError('pictures need both --window LOW HIGH and --spacing Z Y X')
    return ImageFolderSpec(tuple(args.window), tuple(args.spacing))


def _lungs(args: argparse.Namespace, count: int) -> LungMethod:
    if args.lung and count > 1:
        raise ValueError(f'--lung {args.lung} is the mask of one scan, {count} were given')
    if args.lung and (args.lungs or args.lung_config or args.lung_checkpoint):
        raise ValueError('give either --lung MASK, or a method that finds the lungs')
    if args.lung_values and not args.lung:
        raise ValueError('--lung-values are those of a mask: give it by --lung MASK')
    if args.lung and not args.lung.exists():
        raise FileNotFoundError(f'--lung {args.lung} is not there: check the path')
    return lung_method(args.lungs, config=args.lung_config, checkpoint=args.lung_checkpoint)


def _model(args: argparse.Namespace) -> DeployedModel:
    if args.model and not (args.config or args.checkpoint):
        return DeployedModel.from_folder(args.model)
    if args.config and args.checkpoint and not args.model:
        return DeployedModel.from_checkpoint(load_config(args.config), args.checkpoint)
    raise ValueError('give either --model FOLDER, or --config and --checkpoint')


def _say(outcome: CaseOutcome, out: Path, console: Console) -> None:
    """One line for a case."""
    if outcome.prediction is None:
        text = one_line(f'{outcome.case}: {outcome.error}')
        sys.stderr.write(printable(f'error: {text}\n'))
        return
    patient, total = outcome.prediction['patient'], outcome.prediction['burden']['total']
    codes = ', '.join(flag['code'] for flag in outcome.prediction['flags'])
    console.print(
        f'{outcome.case}: {patient["label"]} ({patient["confidence"]:.0%}), '
        f'{total["infection_ml"]:.0f} ml infected; {out / outcome.case / "report.html"}'
        + (f' (read with care: {codes})' if codes else ''),
        soft_wrap=True,
    )


def _summary(outcomes: Sequence[CaseOutcome], out: Path) -> str:
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction]
    labels = Counter(prediction['patient']['label'] for prediction in predictions)
    parts = [f'{count} {label}' for label, count in labels.most_common()]
    flagged = sum(bool(prediction['flags']) for prediction in predictions)
    failed = len(outcomes) - len(predictions)
    return (
        f'{len(outcomes)} {"scan" if len(outcomes) == 1 else "scans"}: '
        f'{", ".join([*parts, f"{failed} not predicted"])}; {flagged} to read with care; '
        f'{out / COHORT_PAGE}'
    )
