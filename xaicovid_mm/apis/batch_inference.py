"""Predict many cases, go on after one that fails, and write a page that lists them all."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any

from ..data_prep.check.anonymize import anonymous_error
from ..utils.errors import error_text
from ..utils.files import write_text
from ..utils.html import page_source, page_templates
from ..utils.names import case_folder
from ..utils.printable import printable
from .ct_inferencer import CTInferencer

PAGES = 'xaicovid_mm.apis.outputs'


@dataclass
class CaseOutcome:
    """The prediction of one case, or the error that prevented it.

    Attributes:
        case: Name of the case, as ``printable`` writes it.
        prediction: ``patient``, ``burden`` and ``flags`` of its ``prediction.json``.
        error: The error message; empty if there is a prediction. It may name files: it is shown to
            the user and not stored.
        shared_error: The error as it is stored, without what may name a patient.
    """

    case: str
    prediction: dict[str, Any] | None = None
    error: str = ''
    shared_error: str = ''

    def record(self) -> dict[str, Any]:
        """Its entry in ``cohort.json``."""
        return dict(case=self.case, prediction=self.prediction, error=self.shared_error)


def infer_all(
    inferencer: CTInferencer,
    cases: dict[str, Path],
    out_dir: str | Path,
    *,
    lung: Path | None = None,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> list[CaseOutcome]:
    """Predict every case into its own folder, then write ``cohort.html`` and ``cohort.json``.

    A case that cannot be read is listed with its error, and the next one follows.

    Args:
        inferencer: Predicts a case.
        cases: Case name to the path of its scan.
        out_dir: Folder that gets a folder per case. It is made if it does not exist.
        lung: Lung mask on the grid of the scan, for one case only.
        progress: Wraps the names, to show a progress bar.

    Returns:
        The outcomes in the order of ``cases``.

    Raises:
        OSError: If ``out_dir`` cannot be made or written to.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    outcomes = [
        _infer(inferencer, name, cases[name], out_dir, lung) for name in progress(list(cases))
    ]
    template = page_templates(PAGES).get_template('cohort.html.j2')
    page = template.render(
        outcomes=outcomes, css=page_source(PAGES, 'base.css'), script=page_source(PAGES, 'sort.js')
    )
    write_text(out_dir / 'cohort.html', page)
    write_text(out_dir / 'cohort.json', json.dumps([o.record() for o in outcomes], indent=1))
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
    return CaseOutcome(shown, {key: prediction[key] for key in ('patient', 'burden', 'flags')})
