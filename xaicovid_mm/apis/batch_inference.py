"""Predict many cases, go on after one that fails, and write a page that lists them all."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

import torch

from .. import __version__
from ..data_prep.check.anonymize import anonymous_error
from ..data_prep.io.scan import scan_sha256
from ..utils.errors import error_text, is_ours, shows_trace
from ..utils.locks import LOCKS, locked
from ..utils.names import COHORT_PAGE, PREDICTION, case_folder
from ..utils.parallel import parallel_map
from ..utils.printable import printable
from .ct_inferencer import CTInferencer
from .outputs.cohort import CaseOutcome, figures, kept, write_cohort
from .outputs.dicom_seg import SEG_FILE
from .outputs.volumes import UNCERTAINTY
from .slice_predictor import INFECTION_SALIENCY


def infer_all(
    inferencer: CTInferencer,
    cases: dict[str, Path],
    out_dir: str | Path,
    *,
    lung: Path | None = None,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
    done: Callable[[CaseOutcome], None] = lambda outcome: None,
) -> list[CaseOutcome]:
    """Predict every case into its own folder, then list all, see ``write_cohort``.

    A case that cannot be predicted, for whatever reason, is listed with its error, and the next
    one follows. Where tracebacks are asked for, an error that was not foreseen ends all.

    Args:
        inferencer: Predicts a case.
        cases: Case name to the path of its scan.
        out_dir: Folder that gets a folder per case. It is made if it does not exist.
        lung: Lung mask on the grid of the scan, for one case only.
        workers: Number of processes that predict side by side; they share the threads.
        resume: Keep the predictions that are there already of the same scan, read in the same way,
            model and way to find the lungs, by this version, if they have all that is asked for.
        progress: Wraps the names, to show a progress bar.
        done: Gets each outcome as soon as there is one.

    Returns:
        The outcomes in the order of ``cases``.

    Raises:
        LockedError: If another process predicts cases into ``out_dir``: it would list its own only.
        WorkerLostError: If a worker was killed. What was predicted stays, and is not listed yet.
        OSError: If ``out_dir`` cannot be made or written to.
    """
    out_dir, outcomes = Path(out_dir), []
    out_dir.mkdir(parents=True, exist_ok=True)
    threads = max(torch.get_num_threads() // workers, 1) if workers > 1 else None
    predict = _Prediction(inferencer, out_dir, lung, resume, threads)
    with (
        locked(out_dir / LOCKS / COHORT_PAGE, f'writing {out_dir / COHORT_PAGE}'),
        parallel_map(predict, list(cases.items()), workers) as found,
    ):
        for _, outcome in zip(progress(list(cases)), found, strict=True):
            outcomes.append(outcome)
            done(outcome)
        write_cohort(out_dir, outcomes)
    return outcomes


@dataclass(frozen=True)
class _Prediction:
    """Predicts a case (name, scan); it can be sent to a worker."""

    inferencer: CTInferencer
    out_dir: Path
    lung: Path | None
    resume: bool
    threads: int | None

    def __call__(self, case: tuple[str, Path]) -> CaseOutcome:
        name, scan = case
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        if self.resume and (earlier := self._earlier(name, scan)):
            return CaseOutcome(printable(name), kept(earlier))
        return _infer(self.inferencer, name, scan, self.out_dir, self.lung)

    def _earlier(self, name: str, scan: Path) -> dict | None:
        """The prediction that is there, if it would come out again; None else."""
        path = case_folder(self.out_dir, name) / PREDICTION
        try:
            prediction = json.loads(path.read_text(encoding='utf-8'))
            same = (
                prediction['input']['sha256'] == scan_sha256(scan)
                and prediction['input']['reading_sha256'] == self.inferencer.reading_sha256()
                and _without_training(prediction['model'])
                == json.loads(json.dumps(self.inferencer.model.identity))
                and prediction['lungs'] == self.inferencer.lungs_record(self.lung)
                and prediction['versions']['xaicovid_mm'] == __version__
                and self._has_what_is_asked(path.parent, prediction['slices'])
            )
            readable = same and figures(CaseOutcome(name, kept(prediction)))  # in today's form
            return prediction if readable else None
        except (OSError, ValueError, KeyError, TypeError):  # none, or not of this version
            return None

    def _has_what_is_asked(self, folder: Path, slices: list[dict]) -> bool:
        """Whether the folder has as many saliency maps, and the files that options add."""
        asked = self.inferencer
        explained = sum(entry['saliency'] for entry in slices)
        wanted = len(slices) if asked.explain is None else min(asked.explain, len(slices))
        files = {
            UNCERTAINTY: asked.uncertainty,
            SEG_FILE: asked.dicom_seg,
            f'{INFECTION_SALIENCY}.nii.gz': asked.predictor.infection_saliency,
        }
        return explained == wanted and all(
            (folder / name).is_file() for name, is_asked in files.items() if is_asked
        )


def _without_training(model: dict) -> dict:
    return {key: value for key, value in model.items() if key != 'training'}


def _infer(
    inferencer: CTInferencer, name: str, scan: Path, out_dir: Path, lung: Path | None
) -> CaseOutcome:
    shown = printable(name)
    try:
        prediction = inferencer(scan, case_folder(out_dir, name), lung)
    except Exception as error:  # of any library: the next scan may do
        text = error_text(error)
        if isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError) and 'memory' in text  # torch's MemoryError
        ):
            text = f'{scan} needs more memory than there is: give it more, or crop the scan'
        elif isinstance(error, OSError) and error.errno == ENOSPC:  # names no file
            text = f'{out_dir / name}: {error.strerror}'
        elif not is_ours(error):
            if shows_trace():
                raise
            text = f'{scan}: {type(error).__name__}: {text} (XAICOVID_DEBUG=1 shows the traceback)'
        shared = printable(
            anonymous_error(error, {'scan': scan} | ({'lung': lung} if lung else {}))
        )
        return CaseOutcome(shown, error=text, shared_error=shared)
    return CaseOutcome(shown, kept(prediction))
