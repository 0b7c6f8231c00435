"""The same slices after several epochs of a run (Fig. 5)."""

from pathlib import Path

from mmengine import Config

from ..apis.init_model import init_model
from ..datasets import SliceDataset
from ..engine.checkpoint import epoch_checkpoints
from ..registry import DATASETS
from .explain_slices import explain_slices, shown_labeler
from .figure_strip import draw_strip


def draw_checkpoint_strips(
    cfg: Config, folder: Path, role: str, out: Path, count: int = 2
) -> list[Path]:
    """Draw a strip per slice with a row per checkpoint, the oldest first.

    Args:
        cfg: Of the run.
        folder: Its work dir, with one or more ``epoch_<n>.pth``.
        role: Whose patients, 'val' or 'test'.
        out: Folder for ``<case>_<slice>.png``.
        count: How many slices, the largest lesions first.

    Raises:
        FileNotFoundError: If there is no checkpoint.
    """
    checkpoints = epoch_checkpoints(folder)
    if not checkpoints:
        raise FileNotFoundError(f'{folder} has no epoch_<n>.pth: give the work dir of a run')
    dataset: SliceDataset = DATASETS.build({**cfg.test_dataloader.dataset, 'roles': [role]})
    labeler, columns, names = shown_labeler(cfg), [], []
    for epoch, path in sorted(checkpoints.items()):
        rows = explain_slices(init_model(cfg, path), labeler, dataset, count)
        names = [str(row['title']).replace('\nslice ', '_') for row in rows]
        columns.append([row | dict(title=f'epoch {epoch}') for row in rows])
    paths = [out / f'{name}.png' for name in names]
    for path, rows_of_a_slice in zip(paths, zip(*columns, strict=True), strict=True):
        draw_strip(rows_of_a_slice, path)
    return paths
