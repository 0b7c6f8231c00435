"""Figure strips of the same slices after several epochs of a run (Fig. 5)."""

from pathlib import Path

from mmengine import Config

from ..datasets import SliceDataset
from ..engine.checkpoint import epoch_checkpoints
from ..engine.trained_model import trained_model
from ..registry import DATASETS
from .explain_slices import explain_slices, largest_lesions
from .figure_strip import draw_strip


def draw_checkpoint_strips(
    cfg: Config, folder: Path, *, role: str, out: Path, count: int = 2
) -> list[Path]:
    """Draw a strip for each slice, with a row for each checkpoint, the earliest first.

    Args:
        cfg: Config of the run.
        folder: Work dir of the run, with one or more ``epoch_<n>.pth``.
        role: Role of the patients, 'val' or 'test'.
        out: Folder for the files ``<case>_<slice>.png``.
        count: Number of slices, those with the largest lesions first.

    Returns:
        The files.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If no slice of these patients is known to hold infection.
    """
    checkpoints = epoch_checkpoints(folder)
    if not checkpoints:
        raise FileNotFoundError(f'{folder} has no epoch_<n>.pth: give the work dir of a run')
    dataset: SliceDataset = DATASETS.build({**cfg.test_dataloader.dataset, 'roles': [role]})
    positions = largest_lesions(dataset, count)
    strips: dict[str, list[dict]] = {}
    for epoch, path in sorted(checkpoints.items()):
        for row in explain_slices(trained_model(cfg, path), cfg, dataset, positions):
            strips.setdefault(row['name'], []).append(row | dict(title=f'epoch {epoch}'))
    for name, rows in strips.items():
        draw_strip(rows, out / f'{name}.png')
    return [out / f'{name}.png' for name in strips]
