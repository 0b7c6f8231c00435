"""Say at the start of training what is trained on, how long and where."""

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook

from ...classes import CLASSES
from ...data_prep.store.schema import UNKNOWN
from ...datasets.slice_dataset import SliceDataset
from ...registry import HOOKS
from ...utils.words import counted
from ..ct_runner import CTRunner

COLUMNS = ('role', 'patients', 'slices', 'infected', *CLASSES)
HIDDEN = 'hidden'
"""Stands for what the dataset does not give to training."""


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Log about ten lines: data by role, class balance, steps, device and where the log is."""

    priority = 'VERY_LOW'  # what other hooks refuse comes first

    def before_train(self, runner: CTRunner) -> None:
        """Log the summary; a dataset without a slice store is left out."""
        lines = [*_data_lines(runner), _steps(runner), _device(runner)]
        lines.append(f'log: {runner.logger.log_file}, curves and checkpoints: {runner.work_dir}')
        runner.logger.info('\n'.join(['', *lines]))


def _data_lines(runner: CTRunner) -> list[str]:
    dataset = runner.train_dataloader.dataset
    if not isinstance(dataset, SliceDataset):
        return []
    kind = 'phantoms' if dataset.store.is_phantom else 'scans'
    split = runner.cfg.train_dataloader.dataset.split
    rows: list[tuple[str, ...]] = [COLUMNS]
    for role, given in (('labelled', dataset.is_labelled), ('unlabelled', ~dataset.is_labelled)):
        if given.any():
            rows.append(_row(role, dataset, given))
    validation = getattr(getattr(runner.val_loop, 'dataloader', None), 'dataset', None)
    if isinstance(validation, SliceDataset):
        rows.append(_row('val', validation, np.ones(len(validation), bool)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ('  '.join(map(str.rjust, row, widths)) for row in rows)
    return [f'data: {kind} of {dataset.store.root}, split {split!r}; slices by class:', *table]


def _row(role: str, dataset: SliceDataset, given: np.ndarray) -> tuple[str, ...]:
    """Counts of a role, as training is given them: what it must not see is not counted."""
    rows, labels = dataset.rows[given], dataset.labels[given]
    index, cases = dataset.store.index[rows], dataset.store.cases
    patients = {cases[case].patient for case in np.unique(index['case'])}
    open_masks = role != 'unlabelled' or dataset.reveal
    open_labels = open_masks or dataset.weak_labels
    infected = (index['infection'] != UNKNOWN) & (index['infection_px'] > 0)
    classes = (int((labels == label).sum()) for label in range(len(CLASSES)))
    return (
        role,
        str(len(patients)),
        str(len(rows)),
        str(int(infected.sum())) if open_masks else HIDDEN,
        *(str(count) if open_labels else HIDDEN for count in classes),
    )


def _steps(runner: CTRunner) -> str:
    batches, epochs = len(runner.train_dataloader), runner.max_epochs
    batch = runner.train_dataloader.batch_size
    text = f'steps: {epochs} epochs of {batches} batches of {batch} slices per process'
    return f'{text}, from epoch {runner.epoch + 1} on' if runner.epoch else text


def _device(runner: CTRunner) -> str:
    device = next(runner.model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else ''
    threads = counted(torch.get_num_threads(), 'thread') if device.type == 'cpu' else name
    count = get_world_size()
    return f'device: {device.type} ({threads}), {count} process{"es" if count > 1 else ""}'
