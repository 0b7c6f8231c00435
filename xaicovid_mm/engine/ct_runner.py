"""mmengine's runner with safe checkpoints and bit-identical resume."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, get_rank, master_only
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from ..registry import RUNNERS
from ..utils.errors import CheckpointError, ConfigError
from ..utils.locks import locked
from ..utils.model import unwrap_model
from .checkpoint import find_latest, read_checkpoint, write_checkpoint
from .config.values import idle_custom_keys
from .dist import on_main
from .provenance import KEY, check_provenance, provenance
from .random_state import random_state, set_random_state
from .run_record import RunRecord, check_record
from .terminal_log import warnings_alone
from .training_state import need_training_state, run_facts, take_over, training_state
from .vis_backend import need_programs
from .weights import check_fit, load_all, load_fitting, weights_of
from .work_dir import LOCK, refuse_second_run, write_config

MMENGINE_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


@RUNNERS.register_module()
class CTRunner(Runner):
    """mmengine's Runner with safe, atomic checkpoints and bit-identical resume.

    A checkpoint holds tensors and primitives only: weights, optimizer, schedulers, message hub,
    progress, versions and the random states of every rank. It holds no config text; the config is
    the file in the work dir.

    Note:
        A resumed run repeats the uninterrupted one to the bit on the same machine, torch and number
        of ranks. Samples must be drawn from (seed, epoch, draw), as ours are. As gradients are not
        saved, ``accumulative_counts`` must divide the batches of an epoch. Persistent workers must
        not draw from their global generators.
    """

    _load_from: str | None
    optim_wrapper: OptimWrapper
    param_schedulers: list | dict[str, list] | None
    _saved_states: list[dict] | None = None
    _needs_all_weights = False
    _run: RunRecord | None = None
    _recorded = False
    _provenance: dict | None = None

    closing: ExitStack
    """Undoes what hooks did to the terminal or elsewhere, however training ends."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Build the runner. The terminal shows warnings alone meanwhile, the log file has all."""
        super().__init__(*args, **options)
        self._restore_terminal()

    def build_logger(self, *args: Any, **options: Any) -> MMLogger:
        """Build the logger, whose terminal is quiet until the runner is built."""
        self.logger = super().build_logger(*args, **options)
        self._restore_terminal = warnings_alone(self.logger)
        return self.logger

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Build what writes the curves.

        Raises:
            MissingExtraError: If it writes for a program that is not installed.
        """
        if isinstance(visualizer, dict):
            need_programs(visualizer.get('vis_backends') or [])
        return super().build_visualizer(visualizer)

    def build_optim_wrapper(
        self, optim_wrapper: Optimizer | OptimWrapper | dict
    ) -> OptimWrapper | OptimWrapperDict:
        """Build the optimizer; the log names custom keys that change nothing.

        Raises:
            ConfigError: If a custom key looks like a misspelt name of a parameter.
        """
        names = [name for name, _ in unwrap_model(self.model).named_parameters()]
        if idle := idle_custom_keys(optim_wrapper, names):
            self.logger.info(f'custom keys that name no parameter here: {", ".join(idle)}')
        return super().build_optim_wrapper(optim_wrapper)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader with its own random generator.

        Torch draws a seed from the loader's generator for each iterator, but only once if workers
        are persistent. If that were the global generator, dropout would differ after a resume.
        """
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        if loader.generator is None:
            loader.generator = torch.Generator().manual_seed(seed or 0)
        return loader

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register hooks by key; None leaves a hook out, also one that mmengine does not know.

        Where no other is named, checkpoints are written by ``SafeCheckpointHook``.

        Raises:
            ConfigError: If mmengine's hook is to write them.
        """
        named = {'checkpoint': dict(type='xaicovid_mm.SafeCheckpointHook')} | (hooks or {})
        super().register_default_hooks(
            {k: hook for k, hook in named.items() if hook is not None or k in MMENGINE_HOOKS}
        )
        if any(isinstance(hook, CheckpointHook) for hook in self.hooks):
            raise ConfigError(
                'config default_hooks.checkpoint is the CheckpointHook of mmengine, which removes '
                "the old checkpoint before the new one is there: take type='SafeCheckpointHook'"
            )

    def test(self) -> dict:
        """Test the weights of ``load_from``, each and every one: they must fit, see `load_all`."""
        self._needs_all_weights = True
        self._write_config()
        return super().test()

    def val(self) -> dict:
        """Validate the weights of ``load_from`` as `test` does."""
        self._needs_all_weights = True
        self._write_config()
        return super().val()

    def train(self) -> nn.Module:
        """Train; the work dir belongs to this run until it ends.

        Raises:
            FileExistsError: If the work dir holds checkpoints, and they are not resumed.
            LockedError: If another process trains in this work dir.
            CheckpointError: If a run is resumed that was trained with other data or code.
        """
        with ExitStack() as stack:
            self.closing = stack
            folder = Path(self.work_dir)
            lock = locked(folder / LOCK, f'training in {folder}')
            on_main(lambda: stack.enter_context(lock))
            if not self._resume:
                on_main(lambda: refuse_second_run(folder))
            self._write_config()
            self._run = RunRecord.of(self.cfg.to_dict())  # of the code as it was loaded
            self._provenance = provenance(self.cfg.to_dict())
            return super().train()

    def dump_config(self) -> None:
        """Write nothing yet: only a run that has its work dir for itself writes the config."""

    @master_only
    def _write_config(self) -> None:
        write_config(self.cfg, Path(self.work_dir), self.timestamp)

    def _init_model_weights(self) -> None:
        """Initialise the weights; mmengine would list each of them in the log."""
        model = unwrap_model(self.model)
        model._dump_init_info = lambda: None
        try:
            super()._init_model_weights()
        finally:
            del model._dump_init_info

    def load_or_resume(self) -> None:
        """Load or resume as configured; ``resume`` alone takes the newest sound checkpoint.

        The run that is resumed is compared with this one, see `check_record`.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            latest = on_main(lambda: find_latest(Path(self.work_dir)))
            if latest is None:
                self.logger.warning(f'{self.work_dir} has no checkpoint: training starts anew')
                return
            self._load_from = str(latest)
        if self._resume and self._load_from and not self._has_loaded:
            on_main(lambda: self._compare(Path(str(self._load_from))))
        super().load_or_resume()

    def _compare(self, checkpoint: Path) -> None:
        now = self._run or RunRecord.of(self.cfg.to_dict())
        for line in check_record(now, checkpoint, bool(self.cfg.get('allow_changes'))):
            self.logger.warning(line)

    def save_checkpoint(  # type: ignore[override]
        self,
        out_dir: str,
        filename: str,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        **kwargs: object,
    ) -> None:
        """Write a checkpoint atomically; every rank must call it, rank 0 writes.

        Args:
            out_dir: Folder.
            filename: Name of the file in it.
            save_optimizer: Include the optimizer.
            save_param_scheduler: Include the schedulers.
            meta: Additions; ``epoch`` and ``iter`` default to mmengine's: called inside the epoch
                (or iteration) that is just ending.
            by_epoch: Which of the two is ending.
            kwargs: mmengine's storage backends; only local files are written.

        Raises:
            ValueError: If a storage backend is asked for.
            CheckpointError: If the state holds more than plain data.
            OSError: If the disk refuses, naming the file.
        """
        if backends := {k: v for k, v in kwargs.items() if v is not None}:
            raise ValueError(f'{backends} given, but only local files are written: leave it out')
        states: list[dict] = all_gather_object(random_state())
        ending = dict(epoch=self.epoch + by_epoch, iter=self.iter + (not by_epoch))

        def write() -> None:
            checkpoint = training_state(self, save_optimizer, save_param_scheduler)
            facts = {**run_facts(self), KEY: self._provenance}
            checkpoint['meta'] = {**facts, **ending, **(meta or {})}
            checkpoint['random_states'] = states
            self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
            write_checkpoint(checkpoint, Path(out_dir, filename))
            if self._run and not self._recorded:  # only now: older checkpoints had another
                self._run.write(Path(out_dir))
                self._recorded = True

        on_main(write)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | torch.device | Callable = 'cpu',
        strict: bool = False,
        revise_keys: list = [(r'^module.', '')],  # noqa: B006 (mmengine's signature, only read)
    ) -> dict:
        """Load the weights of a local file without executing anything in it.

        Args:
            filename: A checkpoint of ours, or weights saved with ``torch.save``.
            map_location: As in ``torch.load``.
            strict: Raise where names or shapes differ from the model's, as in `test` and `val`.
                Otherwise what fits is loaded, as a start for training, and the log says what did.
                For a test, the checkpoint must also be of the same data and settings, unless the
                config has ``allow_changes``, see `check_provenance`.
            revise_keys: Pairs of pattern and replacement for the names of weights.

        Raises:
            FileNotFoundError: If there is no such file.
            CheckpointError: If it is damaged, holds more than plain data, holds weights that are
                not finite, or does not fit the model: with ``strict`` in any way, without it if no
                weight fits.
        """
        checkpoint = read_checkpoint(Path(filename), map_location)
        checkpoint['state_dict'] = weights_of(checkpoint, filename, revise_keys)
        model, needs_all = unwrap_model(self.model), strict or self._needs_all_weights
        if needs_all:  # hooks load leniently
            check_fit(model, checkpoint['state_dict'], filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        weights = checkpoint['state_dict']
        if self._needs_all_weights:
            for warning in check_provenance(checkpoint, self.cfg.to_dict(), filename):
                self.logger.warning(warning)
        if needs_all:
            load_all(model, weights, filename)
        else:
            self.logger.info(load_fitting(model, weights, filename))
        self._has_loaded = True
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | torch.device | Callable = 'default',
    ) -> None:
        """Go on where a checkpoint was written.

        Args:
            filename: A checkpoint of `save_checkpoint`.
            resume_optimizer: Load the optimizer.
            resume_param_scheduler: Load the schedulers.
            map_location: As in ``torch.load``; 'default' is the device of the run.

        Raises:
            FileNotFoundError: If there is no such file.
            CheckpointError: If it is damaged, is no training state or does not fit the model.
        """
        device = get_device() if map_location == 'default' else map_location
        checkpoint = self.load_checkpoint(filename, device, strict=True)
        need_training_state(checkpoint, filename, resume_optimizer)
        try:
            take_over(self, checkpoint, resume_optimizer, resume_param_scheduler)
            self._saved_states = checkpoint['random_states']
            self.restore_random_state()
        except Exception as error:  # a file may lack or distort anything
            raise CheckpointError(
                f'{filename} does not fit this run: {type(error).__name__}: {error}. Resume with '
                'the config it was trained with, or start from its weights with load_from=PATH'
            ) from error
        self.logger.info(f'resumed {filename} at epoch {self.epoch}, iteration {self.iter}')

    def restore_random_state(self) -> None:
        """Set this rank's generators as the resumed checkpoint has them, if one was resumed."""
        if self._saved_states is None:
            return
        if len(self._saved_states) != self.world_size:
            self.logger.warning(
                f'the checkpoint is of a run with {len(self._saved_states)} ranks, this one has '
                f'{self.world_size}: random states are not restored, so the run goes on but not '
                'as it would have'
            )
            self._saved_states = None
            return
        set_random_state(self._saved_states[get_rank()])

    def forget_random_state(self) -> None:
        """Drop the resumed random states once training has taken them over."""
        self._saved_states = None
