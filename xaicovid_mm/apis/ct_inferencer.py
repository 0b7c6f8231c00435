"""A scan in; diagnosis, infection mask, maps and a page out."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data_prep.io.image_folder import ImageFolderSpec
from ..data_prep.io.nifti import write_nifti
from ..data_prep.io.scan import scan_sha256
from ..data_prep.load_case import LoadedCase, load_case
from ..data_prep.lungs.threshold import lung_mask
from ..data_prep.orientation import from_upright, to_upright
from ..data_prep.quality.inspect import Inspection, inspect_scan, refuse
from ..data_prep.slicing.grid import to_scan
from ..data_prep.slicing.slices import CaseSlices
from ..data_prep.volume import Volume
from ..evaluation.aggregation import aggregate
from ..evaluation.explanation_scores import trust_figures
from ..utils.errors import ScanError
from ..utils.timer import StageTimer
from .model_folder.deployed_model import DeployedModel
from .outputs.dicom_seg import SEG_FILE, is_dicom, need_highdicom, write_dicom_seg
from .outputs.infection_burden import infection_burden
from .outputs.prediction_folder import PREDICTION, prediction_folder, write_prediction
from .outputs.quality_flags import quality_flags
from .outputs.report import write_case_report
from .scan_slices import scan_slices
from .slice_predictor import SlicePredictions, SlicePredictor

EXPLAINED = 8
"""Slices that get a saliency unless all are asked for: each costs several forward passes."""
MAPS = ('caam', 'cam', 'saliency')


class CTInferencer:
    """Run a model on whole scans.

    Args:
        model: Folder of ``tools/publish_model.py``, or a ``DeployedModel``.
        batch_size: Slices at a time.
        explain: How many slices get a saliency, the most telling first; None for all.
        dicom_seg: Also write the masks of DICOM scans as DICOM-SEG; it names the UIDs of the
            images that it lies on, see ``write_dicom_seg``.
        images: How folders of 8-bit pictures were made; without it they are refused.

    Raises:
        ImportError: For ``dicom_seg`` without highdicom.
    """

    def __init__(
        self,
        model: str | Path | DeployedModel,
        batch_size: int = 16,
        explain: int | None = EXPLAINED,
        dicom_seg: bool = False,
        images: ImageFolderSpec | None = None,
    ) -> None:
        if dicom_seg:
            need_highdicom()
        self.dicom_seg, self.images = dicom_seg, images
        self.model = model if isinstance(model, DeployedModel) else DeployedModel.from_folder(model)
        self.predictor = SlicePredictor(self.model, batch_size)
        self.explain = explain

    def __call__(
        self, scan_path: str | Path, out_dir: str | Path, lung: str | Path | None = None
    ) -> dict[str, Any]:
        """Predict a scan and write its folder, whole or not at all.

        Args:
            scan_path: Scan in HU, or a folder of images.
            out_dir: Folder to make; an earlier prediction there is replaced. Its name is the
                case's name in the outputs, nothing of the input's name or header goes in.
            lung: Mask on the scan's grid; else the lungs are found by threshold.

        Returns:
            What ``prediction.json`` holds.

        Raises:
            ScanError: For a scan that cannot be read or is no chest in HU.
            FileExistsError: If ``out_dir`` holds anything but a prediction.
        """
        timer, out_dir = StageTimer(), Path(out_dir)
        with prediction_folder(out_dir) as folder:
            case, inspection = self._load(scan_path, lung)
            scan, lungs = case.need_scan(), inspection.lung
            assert lungs is not None  # lungs of a scan in HU are found where none are given
            timer.lap('read and find lungs')
            slices, images = self._slices(scan_path, scan, lungs)
            timer.lap('slices')
            predicted = self.predictor(images, self.explain, timer)
            infection = _to_file_grid((predicted.prob > 0.5) & slices.lung, slices, scan)
            for name, array in self._volumes(predicted, infection, lungs, slices, scan):
                write_nifti(folder / f'{name}.nii.gz', array, scan.affine)
            if self.dicom_seg and is_dicom(scan_path):
                masks = dict(infection=infection, lung=from_upright(lungs, scan.affine))
                write_dicom_seg(folder / SEG_FILE, Path(scan_path), masks)
            timer.lap('back to the scan')
            prediction = dict(
                case=out_dir.name,
                **self._prediction(scan, lungs, slices, predicted, infection),
                flags=quality_flags(inspection.issues, len(slices.planes), self.model),
                input=_input(scan_path, scan),
                versions=_versions(),
                seconds=timer.seconds,
            )
            write_case_report(folder / 'report.html', prediction, slices, predicted)
            timer.lap('report')
            write_prediction(folder / PREDICTION, prediction)
        return prediction

    def _load(
        self, scan_path: str | Path, lung: str | Path | None
    ) -> tuple[LoadedCase, Inspection]:
        """Read and inspect a scan, as ``check`` and ``volumes`` do."""
        files = {'image': Path(scan_path)} | ({} if lung is None else {'lung': Path(lung)})
        case = load_case(files, self.images)
        case.need_scan()
        inspection = inspect_scan(case, 'hu', lung_mask)
        refuse(scan_path, inspection.issues)
        return case, inspection

    def _slices(
        self, scan_path: str | Path, scan: Volume, lungs: np.ndarray
    ) -> tuple[CaseSlices, np.ndarray]:
        try:
            return scan_slices(scan, lungs, self.model)
        except ScanError as error:
            raise ScanError(f'{scan_path}: {error.what}', error.remedy) from error

    def _volumes(
        self,
        predicted: SlicePredictions,
        infection: np.ndarray,
        lungs: np.ndarray,
        slices: CaseSlices,
        scan: Volume,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """One after the other, so that one at a time is in memory."""
        yield 'infection', infection.astype(np.uint8)
        yield 'lung', from_upright(lungs, scan.affine).astype(np.uint8)
        for name in MAPS:
            yield name, _to_file_grid(getattr(predicted, name), slices, scan, order=1)

    def _prediction(
        self,
        scan: Volume,
        lungs: np.ndarray,
        slices: CaseSlices,
        predicted: SlicePredictions,
        infection: np.ndarray,
    ) -> dict[str, Any]:
        model, infected = self.model, (predicted.prob > 0.5) & slices.lung
        patient = aggregate(predicted.scores, model.aggregation)
        shown = {name: getattr(predicted, name)[predicted.explained] for name in MAPS}
        upright = to_upright(infection, scan.affine)
        return dict(
            patient=dict(
                label=model.classes[int(patient.argmax())],
                confidence=round(float(patient.max()), 4),
                probabilities=self._by_class(patient),
                aggregation=model.aggregation,
                calibrated=bool(model.provenance.get('calibrated')),
            ),
            burden=infection_burden(upright, lungs | upright, scan.spacing_mm),
            trust=trust_figures(
                shown, infected[predicted.explained], slices.lung[predicted.explained]
            ),
            slices=[
                dict(
                    source_slice=int(source),
                    probabilities=self._by_class(scores),
                    infected_percent_of_lung=round(100 * float(mask.sum() / lung.sum()), 2),
                    saliency=bool(explained),
                )
                for source, scores, mask, lung, explained in zip(
                    slices.source_slices,
                    predicted.scores,
                    infected,
                    slices.lung,
                    predicted.explained,
                    strict=True,
                )
            ],
            model=model.provenance,
        )

    def _by_class(self, scores: np.ndarray) -> dict[str, float]:
        return {
            name: round(float(score), 4)
            for name, score in zip(self.model.classes, scores, strict=True)
        }


def _to_file_grid(
    stack: np.ndarray, slices: CaseSlices, scan: Volume, order: int = 0
) -> np.ndarray:
    back = to_scan(stack, slices.planes, slices.grid, scan.affine, scan.original_shape, order)
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
