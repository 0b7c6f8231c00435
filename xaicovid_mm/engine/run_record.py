"""What a run was trained with, beside its checkpoints, and what a resumed run changes of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..utils.errors import CheckpointError
from ..utils.files import write_text
from .hashes import PACKAGE, code_sha256, data_sha256

RECORD = 'run.json'
"""Name of the file in the work dir."""

TRAINING = (
    *('datasets', 'engine', 'evaluation', 'explain', 'models', 'utils'),
    *(f'data_prep/{name}' for name in ('slicing', 'splits', 'store')),
)
"""Folders of the package that have a part in training; so has what is in no folder."""
LIBRARIES = ('torch', 'numpy', 'onedl-mmengine', 'onedl-mmcv')
NOT_SETTINGS = (
    'work_dir',
    'resume',
    'load_from',
    'launcher',
    'allow_changes',
    'experiment_name',
    'model_wrapper_cfg',
    'env_cfg.dist_cfg',
)
"""Keys that say where and how a run is launched, and not what is trained."""
KEPT = ('optim_wrapper.optimizer', 'optim_wrapper.paramwise_cfg', 'param_scheduler')
"""Keys of what the checkpoint restores, whatever the config says."""


@dataclass(frozen=True)
class RunRecord:
    """What a run is trained with.

    Attributes:
        settings: Dotted key of the config to its value.
        data: Place of a dataset in the config to the sha256 of its store's manifest and split.
        code: File of the package to its sha256, and library to its version.
    """

    settings: dict[str, Any]
    data: dict[str, str]
    code: dict[str, str]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> 'RunRecord':
        """Record a config, as plain dicts and lists, and the data and code that it is run with."""
        settings = {
            key: value
            for key, value in leaves(config)
            if not any(f'{key}.'.startswith(f'{left_out}.') for left_out in NOT_SETTINGS)
        }
        stores = [key.removesuffix('.store') for key in settings if key.endswith('.store')]
        data = {
            place: ' '.join(
                data_sha256(Path(settings.pop(f'{place}.store')), settings[f'{place}.split'])
            )
            for place in stores
            if f'{place}.split' in settings
        }
        code = code_sha256(PACKAGE, TRAINING) | {name: version(name) for name in LIBRARIES}
        plain = json.loads(json.dumps(settings, default=str))
        return cls(plain, data, code)

    def write(self, folder: Path) -> None:
        """Write the record to the work dir.

        Raises:
            OSError: If the disk refuses.
        """
        write_text(folder / RECORD, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> 'RunRecord | None':
        """Read the record of a work dir; None if there is none, or it cannot be read."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding='utf-8')))
        except (OSError, ValueError, TypeError):
            return None


def check_record(now: RunRecord, checkpoint: Path, allow_changes: bool = False) -> list[str]:
    """Compare a run with the one that wrote the checkpoint which it goes on with.

    Args:
        now: The run that would go on.
        checkpoint: In the work dir of the other.
        allow_changes: Refuse nothing.

    Returns:
        What to warn of: each setting that differs, or that nothing is known.

    Raises:
        CheckpointError: As `refuse_changes`.
    """
    then = RunRecord.read(checkpoint.parent)
    if then is None:
        return [
            f'{checkpoint.parent} has no readable {RECORD}: whether settings, data or code '
            'differ from those of the run is not known'
        ]
    if not allow_changes:
        refuse_changes(now, then, str(checkpoint))
    return [f'resuming {checkpoint}: {line}' for line in changed_settings(now, then)]


def refuse_changes(now: RunRecord, then: RunRecord, name: str) -> None:
    """Refuse to resume a run with other data, other code or another kind of optimizer.

    Args:
        now: The run that would go on.
        then: The run that wrote the checkpoint.
        name: The checkpoint, for the error.

    Raises:
        CheckpointError: Naming what changed.
    """
    reasons = [
        f'{key} is {now.settings[key]!r}, it was {then.settings.get(key)!r}'
        for key in now.settings
        if key.startswith(KEPT) and key.endswith('.type')
        if now.settings[key] != then.settings.get(key)
    ]
    reasons += [f'the store or the split of {key}' for key in _changed(now.data, then.data)]
    if code := _changed(now.code, then.code):
        more = f' and {len(code) - 3} more' if len(code) > 3 else ''
        reasons.append(f'the code ({", ".join(code[:3])}{more})')
    if reasons:
        raise CheckpointError(
            f'{name} is of a run from which this one differs: {"; ".join(reasons)}. Resume with '
            'what it was trained with, go on all the same with --allow-changes, or train anew in '
            'another work dir'
        )


def changed_settings(now: RunRecord, then: RunRecord) -> list[str]:
    """Say of each setting that differs whether the old value is kept or the new one is taken."""
    return [
        f'{key} is {now.settings.get(key, "not set")!r}, it was '
        f'{then.settings.get(key, "not set")!r}: '
        + ('the old value is kept' if key.startswith(KEPT) else 'the new value is taken')
        for key in _changed(now.settings, then.settings)
    ]


def _changed(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    missing = object()
    keys = {**then, **now}
    return [key for key in keys if now.get(key, missing) != then.get(key, missing)]


def leaves(node: Any, way: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the settings of a config with their dotted keys, outermost first."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, f'{way}.{key}' if way else str(key))
    elif isinstance(node, (list, tuple)) and any(isinstance(item, Mapping) for item in node):
        yield from leaves(dict(enumerate(node)), way)
    else:
        yield way, node
