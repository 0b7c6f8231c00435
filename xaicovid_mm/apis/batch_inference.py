"""Predict many cases, go on after one that fails, and write a page that lists them all."""

from collections.abc import Callable, Iterable, Sequence
from errno import ENOSPC
from pathlib import Path

from ..data_prep.check.anonymize import anonymous_error
from ..utils.errors import error_text
from ..utils.locks import LOCKS, locked
from ..utils.names import COHORT_PAGE, case_folder
from ..utils.printable import printable
from .ct_inferencer import CTInferencer
from .outputs.cohort import CaseOutcome, kept, write_cohort


def infer_all(
    inferencer: CTInferencer,
    cases: dict[str, Path],
    out_dir: str | Path,
    *,
    lung: Path | None = None,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
    done: Callable[[CaseOutcome], None] = lambda outcome: None,
) -> list[CaseOutcome]:
    """Predict every case into its own folder, then list all, see ``write_cohort``.

    A case that cannot be read is listed with its error, and the next one follows.

    Args:
        inferencer: Predicts a case.
        cases: Case name to the path of its scan.
        out_dir: Folder that gets a folder per case. It is made if it does not exist.
        lung: Lung mask on the grid of the scan, for one case only.
        progress: Wraps the names, to show a progress bar.
        done: Gets each outcome as soon as there is one.

    Returns:
        The outcomes in the order of ``cases``.

    Raises:
        LockedError: If another process predicts cases into ``out_dir``: it would list its own only.
        OSError: If ``out_dir`` cannot be made or written to.
    """
    out_dir, outcomes = Path(out_dir), []
    out_dir.mkdir(parents=True, exist_ok=True)
    with locked(out_dir / LOCKS / COHORT_PAGE, f'writing {out_dir / COHORT_PAGE}'):
        for name in progress(list(cases)):
            outcomes.append(_infer(inferencer, name, cases[name], out_dir, lung))
            done(outcomes[-1])
        write_cohort(out_dir, outcomes)
    return outcomes


def _infer(
    inferencer: CTInferencer, name: str, scan: Path, out_dir: Path, lung: Path | None
) -> CaseOutcome:
    shown = printable(name)
    try:
        prediction = inferencer(scan, case_folder(out_dir, name), lung)
    except (OSError, ValueError, MemoryError, RuntimeError) as error:
        text = error_text(error)
        if isinstance(error, RuntimeError) and 'memory' not in text:  # torch's MemoryError
            raise
        if isinstance(error, OSError) and error.errno == ENOSPC:  # names no file
            text = f'{out_dir / name}: {error.strerror}'
        if isinstance(error, MemoryError | RuntimeError):
            text = f'{scan} needs more memory than there is: give it more, or crop the scan'
        shared = printable(
            anonymous_error(error, {'scan': scan} | ({'lung': lung} if lung else {}))
        )
        return CaseOutcome(shown, error=text, shared_error=shared)
    return CaseOutcome(shown, kept(prediction))
