"""Predict a whole scan: diagnosis, infection mask, explanation maps and a report page."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..data_prep.io.image_folder import ImageFolderSpec, is_image_folder, scale_unknown
from ..data_prep.io.scan import scan_sha256
from ..data_prep.load_case import LoadedCase, load_case
from ..data_prep.lungs.mask_file import THRESHOLD_METHOD, LungMethod
from ..data_prep.orientation import from_upright, to_upright
from ..data_prep.quality.inspect import Inspection, inspect_scan, refuse
from ..data_prep.slicing.slices import CaseSlices
from ..data_prep.volume import Volume
from ..utils.errors import ScanError
from ..utils.names import PREDICTION
from ..utils.timer import StageTimer
from .model_folder.deployed_model import DeployedModel
from .outputs.dicom_seg import SEG_FILE, check_source, need_highdicom, write_dicom_seg
from .outputs.prediction import scan_prediction
from .outputs.prediction_folder import prediction_folder, write_prediction
from .outputs.report import write_case_report
from .outputs.viewer_data import ShownScan
from .outputs.volumes import to_scan_grid, write_volumes
from .scan_slices import scan_slices
from .slice_predictor import SlicePredictor

EXPLAINED = 8
"""Default number of slices with a saliency map; each map costs several forward passes."""


class CTInferencer:
    """Run a model on whole scans.

    Args:
        model: Model folder of ``tools/publish_model.py``, or a ``DeployedModel``.
        batch_size: Slices per batch.
        explain: Number of slices that get a saliency map: those that weigh most in the decision,
            then those with the largest infection. None: all slices.
        dicom_seg: Also write the masks as DICOM-SEG; then only DICOM scans are taken. That file
            holds the UIDs of the images, see ``write_dicom_seg``.
        images: How folders of 8-bit images were made. Without it they are refused.
        series: SeriesInstanceUID of the scan, if a folder or zip holds several CT series.
        lung_values: Values that count in a lung mask that is a label map.
        lungs: How the lungs of a scan without a lung mask are found, see ``lung_method``.
        uncertainty: Also write ``uncertainty.nii.gz``: the entropy of the infection probability,
            from 0 (sure) to 255 (a probability of 0.5).
        infection_saliency: Also make the saliency of the infection, ``infection_saliency.nii.gz``,
            in the slices that get one of the class.

    Raises:
        MissingExtraError: If ``dicom_seg`` is set and highdicom is not installed.
        FileNotFoundError: If the model folder is incomplete.
        ModelFolderError: If the model folder is damaged.
    """

    def __init__(
        self,
        model: str | Path | DeployedModel,
        *,
        batch_size: int = 16,
        explain: int | None = EXPLAINED,
        dicom_seg: bool = False,
        images: ImageFolderSpec | None = None,
        series: str = '',
        lung_values: Sequence[int] = (),
        lungs: LungMethod = THRESHOLD_METHOD,
        uncertainty: bool = False,
        infection_saliency: bool = False,
    ) -> None:
        if dicom_seg:
            need_highdicom()
        self.dicom_seg, self.images, self.series = dicom_seg, images, series
        self.model = model if isinstance(model, DeployedModel) else DeployedModel.from_folder(model)
        self.predictor = SlicePredictor(self.model, batch_size, infection_saliency)
        self.mask_values = {'lung': tuple(lung_values)} if lung_values else {}
        self.explain, self.lungs, self.uncertainty = explain, lungs, uncertainty

    def __call__(
        self, scan_path: str | Path, out_dir: str | Path, lung: str | Path | None = None
    ) -> dict[str, Any]:
        """Predict a scan and write the output folder, whole or not at all.

        Args:
            scan_path: NIfTI file or DICOM series in HU, or a folder of images.
            out_dir: Folder to make; an earlier prediction there is replaced. Its name becomes the
                name of the case in the outputs, which hold nothing of the name or header of the
                input.
            lung: Lung mask on the grid of the scan. Default: the lungs are found by ``lungs``.

        Returns:
            The content of ``prediction.json``.

        Raises:
            ScanError: If the scan cannot be read, is not in HU or does not show a chest.
            FileExistsError: If ``out_dir`` exists and is no earlier prediction.
            OSError: If the disk refuses.
        """
        if self.dicom_seg:
            check_source(scan_path, self.series)
        timer, out_dir = StageTimer(), Path(out_dir)
        with prediction_folder(out_dir) as folder:
            case, inspection = self._load(scan_path, lung)
            scan, lungs = case.need_scan(), inspection.lung
            assert lungs is not None  # inspect_scan finds the lungs of a scan in HU
            timer.lap('read and find lungs')
            slices, images = self._slices(scan_path, scan, lungs)
            timer.lap('slices')
            predicted = self.predictor(images, self.explain, timer, slices.lung)
            infection = to_scan_grid(predicted.infected, slices, scan)
            infection &= from_upright(lungs, scan.affine)
            shown = ShownScan(
                scan=scan,
                lung=lungs,
                infection=to_upright(infection, scan.affine),
                slices=slices,
                predicted=predicted,
            )
            write_volumes(folder, shown, self.uncertainty)
            if self.dicom_seg:
                masks = dict(infection=infection, lung=from_upright(lungs, scan.affine))
                write_dicom_seg(folder / SEG_FILE, Path(scan_path), masks, self.series)
            timer.lap('back to the scan')
            prediction = scan_prediction(
                shown,
                self.model,
                inspection.issues,
                case=out_dir.name,
                scan_path=scan_path,
                reading_sha256=self.reading_sha256(),
                lungs=self.lungs_record(lung),
                seconds=timer.seconds,
            )
            write_case_report(folder / 'report.html', prediction=prediction, shown=shown)
            timer.lap('report')
            write_prediction(folder / PREDICTION, prediction)
        return prediction

    def _load(
        self, scan_path: str | Path, lung: str | Path | None
    ) -> tuple[LoadedCase, Inspection]:
        """Read and inspect a scan in the same way as the commands that check and build."""
        files = {'image': Path(scan_path)} | ({} if lung is None else {'lung': Path(lung)})
        if self.images is None and is_image_folder(scan_path):
            raise scale_unknown(
                scan_path, 'give --window LOW HIGH and --spacing Z Y X, or the scan itself'
            )
        case = load_case(files, self.images, mask_values=self.mask_values, series=self.series)
        case.need_scan()
        inspection = inspect_scan(case, 'hu', self.lungs.find)
        refuse(files, inspection.issues)
        return case, inspection

    def reading_sha256(self) -> str:
        """The hash of what decides how a scan is read: the series, or how images were made."""
        return sha256(repr((self.series, self.images)).encode()).hexdigest()

    def lungs_record(self, lung: str | Path | None) -> dict[str, Any]:
        """How the lungs were found, and the hashes of the files that decided it."""
        if lung is not None:
            values = {'values': [*self.mask_values['lung']]} if self.mask_values else {}
            return dict(method='given', sha256=[scan_sha256(lung)], **values)
        return dict(method=self.lungs.name, sha256=list(self.lungs.sha256))

    def _slices(
        self, scan_path: str | Path, scan: Volume, lungs: np.ndarray
    ) -> tuple[CaseSlices, np.ndarray]:
        try:
            return scan_slices(scan, lungs, self.model)
        except ScanError as error:
            raise ScanError(f'{scan_path}: {error.what}', error.remedy) from error
