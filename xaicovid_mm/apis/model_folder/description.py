"""What a published model says of itself, gathered from config, checkpoint and a test."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from mmengine import Config

from ...classes import CLASSES
from ...data_prep.store.reader import SliceStore
from ...engine.checkpoint import read_checkpoint
from ...evaluation.aggregation import check_aggregation
from ...evaluation.calibration_report import confidence_report
from ...evaluation.slice_scores import ROW_FILES, read_rows
from ...utils.files import file_sha256


def describe(
    cfg: Config, checkpoint: str | Path, tested: str | Path, aggregation: str = 'mean'
) -> dict[str, Any]:
    """Everything but the weights, as data.

    Args:
        cfg: Config of the run.
        checkpoint: Its weights.
        tested: Folder that ``tools/test.py`` wrote for this checkpoint.
        aggregation: From slices to a patient, see ``aggregate``.

    Raises:
        FileNotFoundError: If the folder holds no test.
        ValueError: If the test is of another checkpoint or the rows have no known class.
    """
    check_aggregation(aggregation)
    report = _report(Path(tested), checkpoint)
    meta = read_checkpoint(Path(checkpoint)).get('meta', {})
    return dict(
        model=without(cfg.model.to_dict(), 'init_cfg'),
        classes=list(CLASSES),
        explanation=explanation(cfg),
        preprocessing=preprocessing(cfg),
        calibration=dict(
            confidence_report(read_rows(Path(tested, ROW_FILES['cls']))), aggregation=aggregation
        ),
        validation={k: report[k] for k in ('scores', 'notes', 'definitions')}
        | {k: report['tested'][k] for k in ('role', 'split')},
        provenance=dict(
            seed=meta.get('seed'),
            epochs=meta.get('epoch'),
            torch=str(meta.get('versions', {}).get('torch')),
            date=date.today().isoformat(),
            **{k: report['tested'][k] for k in ('checkpoint_sha256', 'store_sha256')},
        ),
    )


def preprocessing(cfg: Config) -> dict[str, Any]:
    """How slices were made for a config: what its store says, and what its dataset adds.

    Raises:
        StoreError: If the store of the config is not there.
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


def explanation(cfg: Config) -> dict[str, Any]:
    """How a config explains: settings of ``Saliency`` and ``FusedActivation``, if it says."""
    labeler = (cfg.default_hooks.get('pseudo_label') or {}).get('labeler', {})
    return {k: dict(labeler[k]) for k in ('saliency', 'activation') if k in labeler}


def model_card(name: str, description: dict[str, Any], onnx: bool) -> str:
    """The description as a page to read, Markdown."""
    environment = Environment(
        loader=PackageLoader('xaicovid_mm.apis.model_folder'), undefined=StrictUndefined
    )
    return environment.get_template('model_card.md.j2').render(name=name, onnx=onnx, **description)


def onnx_bytes(model: torch.nn.Module, size: tuple[int, int]) -> bytes:
    """The network as ONNX: ``slices`` (B, 1, H, W) to ``class_logits`` and ``mask_logits``.

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


def without(config: Any, key: str) -> Any:
    """Plain data without a key, at any depth."""
    if isinstance(config, dict):
        return {k: without(v, key) for k, v in config.items() if k != key}
    if isinstance(config, (list, tuple)):
        return [without(v, key) for v in config]
    return config


def _report(tested: Path, checkpoint: str | Path) -> dict[str, Any]:
    path = tested / 'report.json'
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is not there: run tools/test.py CONFIG {checkpoint} --role val first'
        )
    report: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    found, wanted = report['tested']['checkpoint_sha256'], file_sha256(checkpoint)
    if found != wanted:
        raise ValueError(
            f'{tested} tested the checkpoint {found[:12]}, {checkpoint} is {wanted[:12]}: test it '
            'again with tools/test.py'
        )
    return report
