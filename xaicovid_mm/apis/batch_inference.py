"""Many cases: on after a bad one, and a page that lists them all."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any

from ..utils.errors import in_words
from ..utils.files import write_text
from ..utils.html import page_source, page_templates
from .ct_inferencer import CTInferencer

PAGES = 'xaicovid_mm.apis.outputs'


@dataclass
class Outcome:
    """What became of one case: its prediction, or why there is none."""

    case: str
    prediction: dict[str, Any] | None = None
    error: str = ''


def infer_all(
    inferencer: CTInferencer,
    cases: dict[str, Path],
    out_dir: str | Path,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> list[Outcome]:
    """Predict every case into a folder of its own, and write ``cohort.html`` and ``cohort.json``.

    A case that cannot be read is listed with the reason, and the next one follows.

    Args:
        inferencer: Does it.
        cases: Scans by name.
        out_dir: Gets a folder per case.
        progress: Wraps the names, to show a bar.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    outcomes = [_infer(inferencer, name, cases[name], out_dir) for name in progress(list(cases))]
    template = page_templates(PAGES).get_template('cohort.html.j2')
    page = template.render(
        outcomes=outcomes, css=page_source(PAGES, 'base.css'), script=page_source(PAGES, 'sort.js')
    )
    write_text(out_dir / 'cohort.html', page)
    write_text(out_dir / 'cohort.json', json.dumps([vars(o) for o in outcomes], indent=1))
    return outcomes


def _infer(inferencer: CTInferencer, name: str, scan: Path, out_dir: Path) -> Outcome:
    try:
        return Outcome(name, _brief(inferencer(scan, out_dir / name)))
    except (OSError, ValueError) as error:
        said = in_words(error)
        if isinstance(error, OSError) and error.errno == ENOSPC:  # a full disk does not say where
            said = f'{out_dir / name}: {error.strerror}'
        return Outcome(name, error=said)


def _brief(prediction: dict[str, Any]) -> dict[str, Any]:
    """What the list shows; the rest is in the case's ``prediction.json``."""
    return {key: prediction[key] for key in ('patient', 'burden', 'flags')}
