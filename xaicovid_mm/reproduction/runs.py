"""The runs behind the tables: what is missing is trained, what is there is reused."""

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

from ..data_prep.store.reader import SliceStore
from ..engine.checkpoint import POINTER
from ..engine.config import load_config
from ..evaluation.slice_scores import ROW_FILES
from ..utils.files import file_sha256, write_text
from .fingerprint import code_sha256, data_sha256, environment, records_sha256, sha256_of
from .systems import Options, System

SCALES = {'quick': 'quick', 'real': 'real_ct', 'paper': '.'}
"""Name of a scale to the folder of configs that sets it."""
DONE, REPORT = 'done.json', 'report.json'
SPARING: dict[str, Options] = {
    'quick': {'train_dataloader.sampler.batches_per_epoch': 16, 'train_cfg.val_interval': 5},
    'real': {'train_dataloader.sampler.batches_per_epoch': 20, 'train_cfg.val_interval': 5},
    'paper': {},
}
"""Over every config of a scale: a third of the quick run's steps, half of the real run's, and few
validations, since there are many rows."""


class RunError(ValueError):
    """A run failed; it is not counted."""


@dataclass(frozen=True)
class Setting:
    """On what all systems run alike.

    Attributes:
        scale: Of ``SCALES``.
        store, split: The data.
        role: Whose patients are scored, 'test' or 'val'.
        root: Folder for the runs.
        project: Folder with ``configs`` and ``tools``.
    """

    scale: str
    store: Path
    split: str
    role: str
    root: Path
    project: Path

    @property
    def tools(self) -> Path:
        """Folder of the commands."""
        return self.project / 'tools'

    @property
    def variables(self) -> dict[str, str]:
        """What the configs read from the environment."""
        return dict(
            XAICOVID_SCALE=SCALES[self.scale],
            XAICOVID_STORE=str(self.store),
            XAICOVID_SPLIT=self.split,
        )


@dataclass(frozen=True)
class Run:
    """One training and its test.

    Attributes:
        name: Of the system.
        seed: Of the run.
        config: The file.
        options: Over the file, the seed included.
        epochs: Of the whole run.
        identity: sha256 of config, data, code and seed.
        code, data, records: sha256 of which it is made, and of the store's records.
        setting: On what it runs.
    """

    name: str
    seed: int
    config: Path
    options: tuple[str, ...]
    epochs: int
    identity: str
    code: str
    data: str
    records: str
    setting: Setting

    @property
    def folder(self) -> Path:
        """Work dir; two systems that come to the same config share it."""
        return self.setting.root / f'{self.config.stem}-{self.seed}-{self.identity[:12]}'

    @property
    def tested(self) -> Path:
        """Where the rows of the test are."""
        return self.folder / f'test_{self.setting.role}'

    @property
    def checkpoint(self) -> Path:
        """Of the last epoch."""
        return self.folder / f'epoch_{self.epochs}.pth'

    def is_done(self) -> bool:
        """Whether it was trained to the end and tested, by this very code on this very data.

        And whether the figures are those that the test left then.
        """
        try:
            done = json.loads((self.tested / DONE).read_text(encoding='utf-8'))
        except (OSError, ValueError):  # none, or cut short: it is tested again
            return False
        said = (done.get('identity'), done.get('files')) if isinstance(done, dict) else ()
        return said == (self.identity, self.files())

    def files(self) -> dict[str, str]:
        """sha256 of each file that figures are read from."""
        paths = (self.tested / name for name in (REPORT, *ROW_FILES.values()))
        return {path.name: file_sha256(path) for path in paths if path.is_file()}

    def epochs_trained(self) -> int:
        """How far its training is, 0 where its last checkpoint has no name of ours."""
        pointer = self.folder / POINTER
        name = re.fullmatch(r'epoch_(\d+)\.pth', pointer.read_text() if pointer.is_file() else '')
        return int(name[1]) if name else 0

    def commands(self) -> list[list[str]]:
        """Train, then test."""
        options = ['--cfg-options', *self.options]
        train = ['train.py', str(self.config), '--work-dir', str(self.folder), '--resume', *options]
        test = ['test.py', str(self.config), str(self.checkpoint), '--role', self.setting.role]
        shown = ['--show-dir', str(self.tested)] if self.name in SHOWN and self.seed == 0 else []
        return [
            [sys.executable, str(self.setting.tools / name), *arguments]
            for name, *arguments in (train, [*test, *shown, *options])
        ]


SHOWN = ('ours_semi', 'wo_cam_loss')
"""Systems of Fig. 4: with the CAM loss, and without it for the vanilla CAM."""


def plan(systems: dict[str, System], seeds: Sequence[int], setting: Setting) -> list[Run]:
    """Every run that is asked for, seed by seed.

    Raises:
        FileNotFoundError: If a config, the store or the split is not there.
        ValueError: If the split has nobody to score.
    """
    where = setting.store, setting.split
    parts = dict(
        code=code_sha256(setting.tools), data=data_sha256(*where), records=records_sha256(*where)
    )
    if not len(SliceStore(setting.store).rows(setting.split, setting.role)):
        raise ValueError(
            f'{setting.store}: split {setting.split!r} has no {setting.role} patients to score: '
            'choose another --role or --split'
        )
    return [_run(name, systems[name], seed, setting, parts) for seed in seeds for name in systems]


def _run(name: str, system: System, seed: int, setting: Setting, parts: dict[str, str]) -> Run:
    path = setting.project / 'configs' / system.config
    if not path.is_file():
        raise FileNotFoundError(f'{path} is not there: row {name!r} needs it')
    names = dict(XAICOVID_STORE='store', XAICOVID_SPLIT='split')  # where they lie is no matter
    with environment(setting.variables | names):
        plain = load_config(path)
        epochs = plain.train_cfg.max_epochs
        options = SPARING[setting.scale] | system.options(epochs) | {'randomness.seed': seed}
        if plain.default_hooks.get('pseudo_label_audit'):
            options |= {'default_hooks.pseudo_label_audit': None}  # it watches, and costs
        config = load_config(path, dict(options)).to_dict()
    identity = sha256_of(dict(config=config, data=parts['data'], code=parts['code']))
    texts = tuple(f'{key}={value}' for key, value in options.items())
    return Run(name, seed, path, texts, epochs, identity, **parts, setting=setting)


def execute(run: Run, threads: int) -> None:
    """Train and test a run; one that was stopped goes on, one that is done is left alone.

    Raises:
        RunError: If training or testing fails, code or data changed since the run was planned, or
            another process is at it.
    """
    run.tested.mkdir(parents=True, exist_ok=True)
    with _locked(run.folder / 'lock') as lock:
        if run.is_done():
            return
        began = time.monotonic()
        train, test = run.commands()
        if run.epochs_trained() < run.epochs or not run.checkpoint.is_file():
            _check_unchanged(run)
            _call(train, run, threads, lock)
        _check_unchanged(run)
        _call(test, run, threads, lock)
        _check_unchanged(run)
        done = dict(
            identity=run.identity,
            system=run.name,
            seed=run.seed,
            scale=run.setting.scale,
            data_sha256=run.data,
            code_sha256=run.code,
            files=run.files(),
            seconds_since_last_start=round(time.monotonic() - began, 1),
        )
        write_text(run.tested / DONE, json.dumps(done, indent=1))


def _check_unchanged(run: Run) -> None:
    setting = run.setting
    for what, planned, found in (
        ('code', run.code, code_sha256(setting.tools)),
        ('data', run.records, records_sha256(setting.store, setting.split)),
    ):
        if planned != found:
            raise RunError(
                f'the {what} is no longer that of the plan ({found[:12]} instead of '
                f'{planned[:12]}): start the command again'
            )


def _call(command: list[str], run: Run, threads: int, lock: int) -> None:
    """The child holds the lock too: were this process killed, no second one could start beside."""
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
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f'{path.parent}: another process is at this run') from error
        yield file.fileno()
