"""A scan in; diagnosis, infection mask, maps and a page out."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data_prep.case_slices import CaseSlices
from ..data_prep.chest import chest_findings
from ..data_prep.door import refuse, scan_findings
from ..data_prep.finding import Finding
from ..data_prep.image_folder import Pictured, is_image_folder, read_image_folder
from ..data_prep.lung import lung_mask
from ..data_prep.nifti import read_volume
from ..data_prep.orientation import from_upright, to_upright
from ..data_prep.slice_grid import to_scan
from ..data_prep.store import StoreError
from ..data_prep.volume import Volume, check_same_grid, read_scan, scan_sha256
from ..evaluation.aggregation import aggregate
from .burden import infection_burden
from .case_files import PREDICTION, new_folder, write_nifti, write_prediction
from .clock import Clock
from .dicom_seg import SEG_FILE, is_dicom, need_highdicom, write_dicom_seg
from .model_slices import model_slices
from .quality_flags import quality_flags
from .report import write_report
from .served_model import ServedModel
from .slice_predictor import SlicePredictions, SlicePredictor
from .trust import trust_figures

EXPLAINED = 8
"""Slices that get a saliency unless all are asked for: each costs several forward passes."""
MAPS = ('caam', 'cam', 'saliency')


class CTInferencer:
    """Run a model on whole scans.

    Args:
        model: Folder of ``tools/publish_model.py``, or a ``ServedModel``.
        batch_size: Slices at a time.
        explain: How many slices get a saliency, the most telling first; None for all.
        dicom_seg: Also write the masks of DICOM scans as DICOM-SEG; it names the UIDs of the
            images that it lies on, see ``write_dicom_seg``.
        pictured: How folders of 8-bit pictures were made; without it they are refused.

    Raises:
        ImportError: For ``dicom_seg`` without highdicom.
    """

    def __init__(
        self,
        model: str | Path | ServedModel,
        batch_size: int = 16,
        explain: int | None = EXPLAINED,
        dicom_seg: bool = False,
        pictured: Pictured | None = None,
    ) -> None:
        if dicom_seg:
            need_highdicom()
        self.dicom_seg, self.pictured = dicom_seg, pictured
        self.served = model if isinstance(model, ServedModel) else ServedModel.from_folder(model)
        self.predictor = SlicePredictor(self.served, batch_size)
        self.explain = explain

    def __call__(
        self, case: str | Path, out_dir: str | Path, lung: str | Path | None = None
    ) -> dict[str, Any]:
        """Predict a scan and write its folder, whole or not at all.

        Args:
            case: Scan in HU, or a folder of pictures.
            out_dir: Folder to make; an earlier prediction there is replaced. Its name is the
                case's name in the outputs, nothing of the input's name or header goes in.
            lung: Mask on the scan's grid; else the lungs are found by threshold.

        Returns:
            What ``prediction.json`` holds.

        Raises:
            StoreError: For a scan that cannot be read or is no chest in HU.
            FileExistsError: If ``out_dir`` holds anything but a prediction.
        """
        clock, out_dir = Clock(), Path(out_dir)
        with new_folder(out_dir) as folder:
            scan, lungs = self._read(case, lung)
            findings = self._look(case, scan, lungs)
            refuse(case, findings)
            clock.lap('read and find lungs')
            cut, images = self._slices(case, scan, lungs)
            clock.lap('slices')
            found = self.predictor(images, self.explain, clock)
            infection = _to_scan((found.prob > 0.5) & cut.lung, cut, scan)
            for name, array in self._volumes(found, infection, lungs, cut, scan):
                write_nifti(folder / f'{name}.nii.gz', array, scan.affine)
            if self.dicom_seg and is_dicom(case):
                masks = dict(infection=infection, lung=from_upright(lungs, scan.affine))
                write_dicom_seg(folder / SEG_FILE, Path(case), masks)
            clock.lap('back to the scan')
            prediction = dict(
                case=out_dir.name,
                **self._prediction(scan, lungs, cut, found, infection),
                flags=quality_flags(findings, len(cut.planes), self.served),
                input=_input(case, scan),
                versions=_versions(),
                seconds=clock.seconds,
            )
            write_report(folder / 'report.html', prediction, cut, found)
            clock.lap('report')
            write_prediction(folder / PREDICTION, prediction)
        return prediction

    def _read(self, case: str | Path, lung: str | Path | None) -> tuple[Volume, np.ndarray]:
        pictures = is_image_folder(case)
        scan = read_image_folder(case, self.pictured) if pictures else read_scan(case)
        if lung is None:
            return scan, lung_mask(scan.data, scan.spacing_mm)
        mask = read_volume(lung)
        check_same_grid(str(case), scan, str(lung), mask)
        return scan, mask.data > 0

    def _look(self, case: str | Path, scan: Volume, lungs: np.ndarray) -> list[Finding]:
        """The door; that pictures are HU through a window is believed."""
        if self.pictured is None or not is_image_folder(case):
            return scan_findings(scan.data, scan.spacing_mm, lungs)
        return [self.pictured.finding, *chest_findings(scan.data, scan.spacing_mm, lungs)]

    def _slices(
        self, case: str | Path, scan: Volume, lungs: np.ndarray
    ) -> tuple[CaseSlices, np.ndarray]:
        try:
            return model_slices(scan, lungs, self.served)
        except StoreError as error:
            raise StoreError(f'{case}: {error}') from error

    def _volumes(
        self,
        found: SlicePredictions,
        infection: np.ndarray,
        lungs: np.ndarray,
        cut: CaseSlices,
        scan: Volume,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """One after the other, so that one at a time is in memory."""
        yield 'infection', infection.astype(np.uint8)
        yield 'lung', from_upright(lungs, scan.affine).astype(np.uint8)
        for name in MAPS:
            yield name, _to_scan(getattr(found, name), cut, scan, order=1)

    def _prediction(
        self,
        scan: Volume,
        lungs: np.ndarray,
        cut: CaseSlices,
        found: SlicePredictions,
        infection: np.ndarray,
    ) -> dict[str, Any]:
        served, infected = self.served, (found.prob > 0.5) & cut.lung
        patient = aggregate(found.scores, served.aggregation)
        shown = {name: getattr(found, name)[found.explained] for name in MAPS}
        upright = to_upright(infection, scan.affine)
        return dict(
            patient=dict(
                label=served.classes[int(patient.argmax())],
                confidence=round(float(patient.max()), 4),
                probabilities=self._by_class(patient),
                aggregation=served.aggregation,
                calibrated=bool(served.provenance.get('calibrated')),
            ),
            burden=infection_burden(upright, lungs | upright, scan.spacing_mm),
            trust=trust_figures(shown, infected[found.explained], cut.lung[found.explained]),
            slices=[
                dict(
                    source_slice=int(source),
                    probabilities=self._by_class(scores),
                    infected_percent_of_lung=round(100 * float(mask.sum() / lung.sum()), 2),
                    saliency=bool(explained),
                )
                for source, scores, mask, lung, explained in zip(
                    cut.source_slices,
                    found.scores,
                    infected,
                    cut.lung,
                    found.explained,
                    strict=True,
                )
            ],
            model=served.provenance,
        )

    def _by_class(self, scores: np.ndarray) -> dict[str, float]:
        return {
            name: round(float(score), 4)
            for name, score in zip(self.served.classes, scores, strict=True)
        }


def _to_scan(stack: np.ndarray, cut: CaseSlices, scan: Volume, order: int = 0) -> np.ndarray:
    back = to_scan(stack, cut.planes, cut.grid, scan.affine, scan.original_shape, order)
    return back.astype(bool) if stack.dtype == bool else back


def _input(case: str | Path, scan: Volume) -> dict[str, Any]:
    return dict(
        sha256=scan_sha256(case),
        shape=list(scan.original_shape),
        spacing_mm=[round(float(mm), 4) for mm in scan.spacing_mm],
        affine=np.round(scan.affine, 4).tolist(),
    )


def _versions() -> dict[str, str]:
    return dict(
        xaicovid_mm=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
    )
