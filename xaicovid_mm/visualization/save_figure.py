"""Write a figure to a file."""

from pathlib import Path

from matplotlib.figure import Figure

from ..utils.files import new_file


def save_figure(figure: Figure, path: str | Path, *, dpi: int) -> None:
    """Write a figure, whole or not at all, see ``new_file``. Missing folders are made.

    Args:
        figure: The figure.
        path: PNG or PDF file, by its ending.
        dpi: Pixels per inch.

    Raises:
        OSError: If the file cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as partial:
        figure.savefig(partial, dpi=dpi)
