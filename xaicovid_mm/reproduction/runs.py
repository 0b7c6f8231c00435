"""Runs of the comparison: their work dirs and commands, and whether they are done."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..data_prep.splits.budget import budget_split_name
from ..engine.checkpoint import POINTER
from ..evaluation.slice_scores import ROW_FILES
from ..utils.files import file_sha256
from .systems import RECIPES, SCALES

DONE, REPORT = 'done.json', 'report.json'
STRIP_SYSTEMS = ('ours_semi', 'wo_cam_loss')
"""Systems of Fig. 4: our method, and the variant without CAM loss, whose CAM is the vanilla one."""


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
