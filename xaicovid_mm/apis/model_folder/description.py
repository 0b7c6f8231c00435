"""The description of a published model: settings, validation scores and provenance as data."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from mmengine import Config

from ...classes import CLASSES
from ...data_prep.store.reader import SliceStore
from ...engine.checkpoint import read_checkpoint
from ...engine.provenance import (
    TRAINING_ONLY,
    provenance,
    provenance_of,
    refuse_other_data,
    refuse_other_settings,
    shared_settings,
)
from ...evaluation.aggregation import check_aggregation
from ...evaluation.calibration_report import calibration_report
from ...evaluation.explanation.report_maps import map_settings
from ...evaluation.mask_settings import mask_settings
from ...evaluation.referral import FAILURES, choose_referral, scan_doubts
from ...evaluation.slice_scores import ROW_FILES, Rows, read_rows
from ...evaluation.threshold_choice import CHOSEN_FILE, chosen_threshold
from ...utils.files import file_sha256, read_json
from .training_record import TITLES, three_digits, training_record

THRESHOLD = 0.5
"""From which probability on a pixel is infected, where nothing else was chosen."""
NO_VALIDATION = 'the patients tested are no validation patients'
"""Why nothing is chosen on them."""


def describe(
    cfg: Config, checkpoint: str | Path, *, tested: str | Path, aggregation: str = 'mean'
) -> dict[str, Any]:
    """Collect everything about a model but its weights, as plain data.

    Args:
        cfg: Config of the training run.
        checkpoint: Weights of the run.
        tested: Folder that ``tools/test.py`` wrote for this checkpoint.
        aggregation: How slices are combined to a patient, see ``aggregate``.

    Returns:
        ``model`` (its config), ``classes``, ``explanation``, ``preprocessing``, ``calibration``
        (temperature scaling and aggregation), ``threshold`` (of the infection, see
        ``chosen_threshold``; 0.5 if the patients tested are no validation patients), ``min_area``
        (of the infection in a slice, see ``infection_mask``), ``referral``
        (see ``choose_referral``), ``training`` (see ``training_record``), ``validation`` and
        ``provenance``.

    Raises:
        FileNotFoundError: If ``tested`` holds no test.
        CheckpointError: If the checkpoint was trained with another store, split or settings than
            the config has, or than it was tested with.
        ValueError: If the test is of another checkpoint, the rows have no known class, or the
            aggregation is unknown.
    """
    check_aggregation(aggregation)
    report = _read_report(Path(tested), checkpoint)
    content = read_checkpoint(Path(checkpoint))
    meta, then, config = content.get('meta', {}), provenance_of(content), cfg.to_dict()
    refuse_other_settings(shared_settings(config), then, checkpoint)
    for data in (report['tested'], provenance(config, 'test_dataloader')):
        refuse_other_data(data, then, checkpoint)
    rows, mask = read_rows(Path(tested, ROW_FILES['cls'])), mask_settings(cfg)
    is_val = report['tested']['role'] == 'val'
    chosen = chosen_threshold(tested) if is_val else None
    return dict(
        model=without_keys(cfg.model.to_dict(), TRAINING_ONLY),
        classes=list(CLASSES),
        explanation=map_settings(cfg),
        preprocessing=preprocessing(cfg),
        training=training_record(cfg),
        calibration=dict(
            calibration_report(rows, aggregation, no_fit='' if is_val else NO_VALIDATION),
            aggregation=aggregation,
        ),
        threshold=mask['threshold'] if chosen is None else chosen,
        min_area=mask['min_area'],
        referral=_referral(_mask_rows(Path(tested), chosen), rows, aggregation, is_val=is_val),
        validation={k: report[k] for k in ('scores', 'notes', 'definitions')}
        | {k: report['tested'][k] for k in ('role', 'split')}
        | dict(threshold=mask['threshold']),
        provenance=dict(
            seed=meta.get('seed'),
            epochs=meta.get('epoch'),
            torch=str(meta.get('versions', {}).get('torch')),
            date=date.today().isoformat(),
            **{k: report['tested'][k] for k in ('checkpoint_sha256', 'store_sha256')},
            **{k: then.get(k) for k in ('split_sha256', 'config_sha256')},
        ),
    )


def preprocessing(cfg: Config) -> dict[str, Any]:
    """Return how the slices of a config are made, from its store and its test dataset.

    Raises:
        StoreError: If the store of the config is missing.
    """
    dataset = cfg.test_dataloader.dataset
    store = SliceStore(dataset.store)
    return dict(
        size=list(store.size),
        intensity=store.intensity,
        window=list(dataset.get('window', (-1250, 250))),
        lung_fill=dataset.get('lung_fill', True),
        prepared=store.manifest['parameters'],
    )


def model_card(name: str, description: dict[str, Any], *, onnx: bool) -> str:
    """Return the description as a Markdown page.

    Args:
        name: Name of the model folder.
        description: Result of ``describe``.
        onnx: Whether the folder holds ``model.onnx``.
    """
    environment = Environment(
        loader=PackageLoader('xaicovid_mm.apis.model_folder'), undefined=StrictUndefined
    )
    return environment.get_template('model_card.md.j2').render(
        name=name,
        onnx=onnx,
        titles=TITLES,
        three_digits=three_digits,
        chosen=chosen_by_the_tested(description),
        tested_threshold=tested_threshold(description),
        **{'threshold': THRESHOLD, 'min_area': 0.0, **description},
    )


def tested_threshold(description: dict[str, Any]) -> float:
    """The threshold of the masks whose scores the description has."""
    return float(description.get('validation', {}).get('threshold', THRESHOLD))


def chosen_by_the_tested(description: dict[str, Any]) -> list[str]:
    """Name what was chosen on the patients whose scores the description has."""
    calibration = description['calibration']
    fitted = calibration['calibrated'] or not calibration['slices']['reason']
    refers = any(choice['threshold'] is not None for choice in description['referral'].values())
    choices = {
        'the threshold of the infection': description['threshold'] != tested_threshold(description),
        'the temperature': fitted,
        'the referral threshold': refers,
    }
    return [name for name, chosen in choices.items() if chosen]


def onnx_bytes(model: torch.nn.Module, size: tuple[int, int]) -> bytes:
    """Export a network to ONNX.

    The exported network maps ``slices`` (B, 1, H, W) to ``class_logits`` (B, C) and
    ``mask_logits`` (B, 1, H, W), for any B.

    Args:
        model: The network, in eval mode.
        size: (H, W).

    Raises:
        ImportError: Without the packages of the extra ``onnx``.
        RuntimeError: If torch cannot export the network.
    """
    program = torch.onnx.export(
        model,
        (torch.rand(2, 1, *size),),
        input_names=['slices'],
        output_names=['class_logits', 'mask_logits'],
        dynamic_shapes=({0: torch.export.Dim('batch')},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError('torch.onnx.export gave nothing: export again without --onnx')
    content: bytes = program.model_proto.SerializeToString()
    return content


def without_keys(config: Any, keys: Collection[str]) -> Any:
    """Return plain data without some keys, at any depth."""
    if isinstance(config, dict):
        return {k: without_keys(v, keys) for k, v in config.items() if k not in keys}
    if isinstance(config, (list, tuple)):
        return [without_keys(v, keys) for v in config]
    return config


def _mask_rows(tested: Path, chosen: float | None) -> Rows:
    """The rows of the masks that the model will make: at the chosen threshold, if there is one.

    Raises:
        FileNotFoundError: If the test is of an earlier version, which did not write them.
    """
    path = tested / (ROW_FILES['seg'] if chosen is None else CHOSEN_FILE)
    if chosen is not None and not path.is_file():
        raise FileNotFoundError(f'{path} is not there: test the checkpoint again')
    return read_rows(path)


def _referral(
    mask_rows: Rows, rows: Rows, aggregation: str, *, is_val: bool
) -> dict[str, dict[str, Any]]:
    """From which score on a scan is referred, by failure; None with a reason if not chosen."""
    if not is_val:
        return {failure: dict(threshold=None, reason=NO_VALIDATION) for failure in FAILURES}
    choices = choose_referral(scan_doubts(mask_rows, rows, aggregation))
    return {
        failure: dict(threshold=None, reason=choice.reason)
        if choice.threshold is None
        else choice._asdict()
        for failure, choice in choices.items()
    }


def _read_report(tested: Path, checkpoint: str | Path) -> dict[str, Any]:
    path = tested / 'report.json'
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is not there: run xaicovid test CONFIG {checkpoint} --role val first'
        )
    report = read_json(path, 'test the checkpoint again')
    if missing := {'tested', 'scores', 'notes', 'definitions'} - report.keys():
        raise ValueError(f'{path} has no {sorted(missing)}: test the checkpoint again')
    actual, expected = report['tested']['checkpoint_sha256'], file_sha256(checkpoint)
    if actual != expected:
        raise ValueError(
            f'{tested} tested the checkpoint {actual[:12]}, {checkpoint} is {expected[:12]}: test '
            'it again with xaicovid test'
        )
    return report
