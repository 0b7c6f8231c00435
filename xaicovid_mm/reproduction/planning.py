"""Plan the runs of a comparison: what each is trained with, before any is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data_prep.splits.budget import write_budget_split
from ..data_prep.store.reader import SliceStore
from ..engine.config import load_config
from ..engine.hashes import sha256_of
from .fingerprint import arrays_sha256, code_sha256, environment, records_sha256
from .runs import Run, Setting
from .systems import RECIPES, SCALES, Options, System

SCALE_OPTIONS: dict[str, Options] = {
    'quick': {'train_dataloader.sampler.batches_per_epoch': 16, 'train_cfg.val_interval': 5},
    'real': {'train_dataloader.sampler.batches_per_epoch': 20, 'train_cfg.val_interval': 5},
    'paper': {},
}
"""Options for every config of a scale with the paper's recipe. There are many systems, so the quick
scale takes a third of the steps of its configs, the real scale half of them, and both validate
rarely. The recommended recipe runs as it is."""


def plan(
    systems: dict[str, System], seeds: Sequence[int], settings: Sequence[Setting]
) -> list[Run]:
    """Return the runs of all systems: seed by seed, setting by setting. Nothing is trained.

    Splits of budgets are derived where they are missing.

    Args:
        systems: Name to system.
        seeds: Seeds of each system.
        settings: Of one store, scale and recipe; they differ in the split and the budget.

    Raises:
        FileNotFoundError: If a config, the store or a split does not exist.
        StoreError: If a budget is larger than what there is to annotate.
        ValueError: If a split has no patients to score, or the scale does not have the recipe.
    """
    code, arrays = code_sha256(settings[0].tools), arrays_sha256(settings[0].store)
    hashes = {}
    for setting in settings:
        _check(setting)
        records = records_sha256(setting.store, setting.training_split)
        hashes[setting] = dict(code=code, data=sha256_of([records, arrays]), records=records)
    configured = {
        (name, seed): _configure(name, system, seed, settings[0])
        for seed in seeds
        for name, system in systems.items()
    }
    return [
        _plan_run(name, seed, configured[name, seed], setting, hashes[setting])
        for seed in seeds
        for setting in settings
        for name in systems
    ]


def _check(setting: Setting) -> None:
    """Derive the split of the budget, and refuse a setting that cannot be run."""
    for name in RECIPES[setting.recipe].values():
        path = setting.project / 'configs' / SCALES[setting.scale] / f'{name}.py'
        if setting.recipe != 'paper' and not path.is_file():
            raise ValueError(
                f'the scale {setting.scale!r} has no recipe {setting.recipe!r} ({path} is not '
                'there): choose --recipe paper, or another --scale'
            )
    records_sha256(setting.store, setting.split)
    store = SliceStore(setting.store)
    write_budget_split(store, setting.split, setting.budget)
    if not len(store.rows(setting.split, setting.role)):
        raise ValueError(
            f'{setting.store}: split {setting.split!r} has no {setting.role} patients to score: '
            'choose another --role or --split'
        )


@dataclass(frozen=True, kw_only=True)
class _Configured:
    """What a system and a seed decide of a run: the same for all splits."""

    path: Path
    options: Options
    epochs: int
    config: dict


def _configure(name: str, system: System, seed: int, setting: Setting) -> _Configured:
    path = setting.project / 'configs' / system.config
    if not path.is_file():
        raise FileNotFoundError(f'{path} is not there: row {name!r} needs it')
    fixed = dict(XAICOVID_STORE='store', XAICOVID_SPLIT='split')  # paths must not be hashed
    with environment(setting.variables | fixed):
        plain = load_config(path)
        epochs = plain.train_cfg.max_epochs
        options = SCALE_OPTIONS[setting.scale] if setting.recipe == 'paper' else {}
        options = options | system.options(epochs) | {'randomness.seed': seed}
        if setting.amp:
            options |= {'optim_wrapper.type': 'BFloat16OptimWrapper'}
        if plain.default_hooks.get('pseudo_label_audit'):  # it changes nothing and takes time
            options |= {'default_hooks.pseudo_label_audit': None}
        config = load_config(path, dict(options)).to_dict()
    return _Configured(path=path, options=options, epochs=epochs, config=config)


def _plan_run(
    name: str, seed: int, configured: _Configured, setting: Setting, hashes: dict[str, str]
) -> Run:
    hashed = dict(config=configured.config, data=hashes['data'], code=hashes['code'])
    return Run(
        name=name,
        seed=seed,
        config=configured.path,
        options=tuple(f'{key}={value}' for key, value in configured.options.items()),
        epochs=configured.epochs,
        fingerprint=sha256_of(hashed),
        **hashes,
        setting=setting,
    )
