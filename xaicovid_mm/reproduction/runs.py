"""Runs of the comparison: train and test what is missing, reuse what is done."""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..data_prep.splits.budget import budget_split_name, write_budget_split
from ..data_prep.store.reader import SliceStore
from ..engine.checkpoint import POINTER
from ..engine.config import load_config
from ..evaluation.slice_scores import ROW_FILES
from ..utils.files import file_sha256, write_text
from .fingerprint import arrays_sha256, code_sha256, environment, records_sha256, sha256_of
from .systems import RECIPES, SCALES, Options, System

DONE, REPORT = 'done.json', 'report.json'
SCALE_OPTIONS: dict[str, Options] = {
    'quick': {'train_dataloader.sampler.batches_per_epoch': 16, 'train_cfg.val_interval': 5},
    'real': {'train_dataloader.sampler.batches_per_epoch': 20, 'train_cfg.val_interval': 5},
    'paper': {},
}
"""Options for every config of a scale with the paper's recipe. There are many systems, so the quick
scale takes a third of the steps of its configs, the real scale half of them, and both validate
rarely. The recommended recipe runs as it is."""
STRIP_SYSTEMS = ('ours_semi', 'wo_cam_loss')
"""Systems of Fig. 4: our method, and the variant without CAM loss, whose CAM is the vanilla one."""


class RunError(ValueError):
    """A run failed. It does not count as done."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all runs of a comparison share.

    Attributes:
        scale: A name in ``SCALES``.
        recipe: A name in ``RECIPES``.
        store, split: The slice store and its split.
        budget: Annotated slices with infection, see ``write_budget_split``; None: all.
        role: Patients that are scored, 'test' or 'val'.
        root: Folder for the work dirs of the runs.
        project: Folder with ``configs`` and ``tools``.
        amp: Train with bfloat16 where the device has it.
    """

    scale: str
    store: Path
    split: str
    role: str
    root: Path
    project: Path
    recipe: str = 'paper'
    budget: int | None = None
    amp: bool = False

    @property
    def training_split(self) -> str:
        """Name of the split that training and test read: that of the budget."""
        return budget_split_name(self.split, self.budget)

    @property
    def tools(self) -> Path:
        """Folder of the commands."""
        return self.project / 'tools'

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that the configs read."""
        return dict(
            XAICOVID_SCALE=SCALES[self.scale],
            XAICOVID_STORE=str(self.store),
            XAICOVID_SPLIT=self.training_split,
            **RECIPES[self.recipe],
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training and its test.

    Attributes:
        name: Name of the system.
        seed: Seed of the training.
        config: Config file.
        options: Options ``key=value`` that override the config, including the seed.
        epochs: Epochs of the whole training.
        fingerprint: sha256 of config, seed, data and code.
        code, data: sha256 of the code and of the store with its split.
        records: sha256 of the manifest of the store and of the split, quick to compute again.
        setting: What the run shares with the others.
    """

    name: str
    seed: int
    config: Path
    options: tuple[str, ...]
    epochs: int
    fingerprint: str
    code: str
    data: str
    records: str
    setting: Setting

    @property
    def folder(self) -> Path:
        """Work dir of the run. Two systems with equal configs share it."""
        return self.setting.root / f'{self.config.stem}-{self.seed}-{self.fingerprint[:12]}'

    @property
    def tested(self) -> Path:
        """Folder with the results of the test."""
        return self.folder / f'test_{self.setting.role}'

    @property
    def checkpoint(self) -> Path:
        """Checkpoint of the last epoch."""
        return self.folder / f'epoch_{self.epochs}.pth'

    def is_done(self) -> bool:
        """Return whether the run was trained to its end and tested with this code and data.

        The result files of the test must be unchanged as well.
        """
        try:
            record = json.loads((self.tested / DONE).read_text(encoding='utf-8'))
        except (OSError, ValueError):  # no record, or a damaged one: test again
            return False
        if not isinstance(record, dict):
            return False
        recorded = (record.get('identity'), record.get('files'))
        return recorded == (self.fingerprint, self.file_hashes())

    def seconds(self) -> float:
        """Return how long a run that is done took, of its last start."""
        record = json.loads((self.tested / DONE).read_text(encoding='utf-8'))
        return float(record['seconds_since_last_start'])

    def file_hashes(self) -> dict[str, str]:
        """Return the sha256 of each result file of the test."""
        paths = (self.tested / name for name in (REPORT, *ROW_FILES.values()))
        return {path.name: file_sha256(path) for path in paths if path.is_file()}

    def epochs_trained(self) -> int:
        """Return the epoch of the last checkpoint; 0 if there is none of the expected name."""
        pointer = self.folder / POINTER
        name = re.fullmatch(r'epoch_(\d+)\.pth', pointer.read_text() if pointer.is_file() else '')
        return int(name[1]) if name else 0

    def commands(self) -> list[list[str]]:
        """Return the commands that train and test."""
        options = ['--cfg-options', *self.options]
        train = ['train.py', str(self.config), '--work-dir', str(self.folder), '--resume', *options]
        test = ['test.py', str(self.config), str(self.checkpoint), '--role', self.setting.role]
        needs_strip = self.name in STRIP_SYSTEMS and self.seed == 0
        strip = ['--show-dir', str(self.tested)] if needs_strip else []
        return [
            [sys.executable, str(self.setting.tools / name), *arguments]
            for name, *arguments in (train, [*test, *strip, *options])
        ]


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
        if plain.default_hooks.get('pseudo_label_audit'):
            options |= {
                'default_hooks.pseudo_label_audit': None
            }  # it changes nothing and takes time
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


def execute(run: Run, threads: int) -> None:
    """Train and test a run. A run that was stopped is continued, one that is done is skipped.

    Args:
        run: The run.
        threads: CPU threads of the commands.

    Raises:
        RunError: If training or testing fails, if code or data changed since the run was planned,
            or if another process works on the run.
    """
    run.tested.mkdir(parents=True, exist_ok=True)
    with _locked(run.folder / 'lock') as lock:
        if run.is_done():
            return
        start = time.monotonic()
        train, test = run.commands()
        if run.epochs_trained() < run.epochs or not run.checkpoint.is_file():
            _check_unchanged(run)
            _call(train, run, threads, lock)
        _check_unchanged(run)
        _call(test, run, threads, lock)
        _check_unchanged(run)
        record = dict(
            identity=run.fingerprint,
            system=run.name,
            seed=run.seed,
            scale=run.setting.scale,
            data_sha256=run.data,
            code_sha256=run.code,
            files=run.file_hashes(),
            seconds_since_last_start=round(time.monotonic() - start, 1),
        )
        write_text(run.tested / DONE, json.dumps(record, indent=1))


def _check_unchanged(run: Run) -> None:
    setting = run.setting
    for what, planned, current in (
        ('code', run.code, code_sha256(setting.tools)),
        ('data', run.records, records_sha256(setting.store, setting.training_split)),
    ):
        if planned != current:
            raise RunError(
                f'the {what} is no longer that of the plan ({current[:12]} instead of '
                f'{planned[:12]}): start the command again'
            )


def _call(command: list[str], run: Run, threads: int, lock: int) -> None:
    """Run a command. It holds the lock too, also after this process is killed."""
    variables = os.environ | run.setting.variables | dict(OMP_NUM_THREADS=str(threads))
    path = run.folder / 'log.txt'
    with open(path, 'a', encoding='utf-8') as log:
        code = subprocess.run(
            command, env=variables, stdout=log, stderr=log, pass_fds=[lock], check=False
        ).returncode
    if code:
        last = path.read_text(encoding='utf-8').strip().splitlines()[-2:]
        raise RunError(f'exit code {code}, see {path}: {" | ".join(last)}')


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Lock a file for the duration of the block, and give its file descriptor."""
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f'{path.parent}: another process is at this run') from error
        yield file.fileno()
