"""Predict a whole scan: diagnosis, infection mask, explanation maps and a report page."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data_prep.io.image_folder import ImageFolderSpec, is_image_folder, scale_unknown
from ..data_prep.io.nifti import write_nifti
from ..data_prep.io.scan import scan_sha256
from ..data_prep.load_case import LoadedCase, load_case
from ..data_prep.lungs.mask_file import THRESHOLD, LungMethod
from ..data_prep.orientation import from_upright, to_upright
from ..data_prep.quality.inspect import Inspection, inspect_scan, refuse
from ..data_prep.slicing.grid import slices_to_file_grid
from ..data_prep.slicing.slices import CaseSlices
from ..data_prep.volume import Volume
from ..evaluation.aggregation import aggregate
from ..evaluation.referral import binary_entropy, doubt, referral
from ..evaluation.temperature_scaling import apply_temperature
from ..utils.errors import ScanError
from ..utils.timer import StageTimer
from .decisive_slices import decision_rule, decisive_text
from .model_folder.deployed_model import DeployedModel
from .model_folder.training_record import scan_facts, some
from .outputs.dicom_seg import SEG_FILE, check_source, need_highdicom, write_dicom_seg
from .outputs.infection_burden import infection_burden
from .outputs.map_trust import map_trust
from .outputs.prediction_folder import PREDICTION, prediction_folder, write_prediction
from .outputs.quality_flags import quality_flags
from .outputs.report import write_case_report
from .outputs.viewer_data import ShownScan
from .scan_slices import scan_slices, slice_heights_mm
from .slice_predictor import SlicePredictions, SlicePredictor

EXPLAINED = 8
"""Default number of slices with a saliency map; each map costs several forward passes."""
UNCERTAINTY = 'uncertainty.nii.gz'
MAPS = ('caam', 'cam', 'saliency')


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
        lungs: How the lungs of a scan without a lung mask are found, see ``lung_method``.
        uncertainty: Also write ``uncertainty.nii.gz``: the entropy of the infection probability,
            from 0 (sure) to 255 (a probability of 0.5).

    Raises:
        ImportError: If ``dicom_seg`` is set and highdicom is not installed.
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
        lungs: LungMethod = THRESHOLD,
        uncertainty: bool = False,
    ) -> None:
        if dicom_seg:
            need_highdicom()
        self.dicom_seg, self.images, self.series = dicom_seg, images, series
        self.model = model if isinstance(model, DeployedModel) else DeployedModel.from_folder(model)
        self.predictor = SlicePredictor(self.model, batch_size)
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
            infection = _to_file_grid(predicted.infected, slices, scan)
            infection &= from_upright(lungs, scan.affine)
            for name, array in _volumes(predicted, infection, lungs, slices, scan):
                write_nifti(folder / f'{name}.nii.gz', array, scan.affine)
            if self.uncertainty:
                entropy = np.rint(255 * binary_entropy(predicted.prob)).astype(np.uint8)
                array = _to_file_grid(entropy, slices, scan, order=1)
                write_nifti(folder / UNCERTAINTY, array, scan.affine)
            if self.dicom_seg:
                masks = dict(infection=infection, lung=from_upright(lungs, scan.affine))
                write_dicom_seg(folder / SEG_FILE, Path(scan_path), masks, self.series)
            timer.lap('back to the scan')
            upright = to_upright(infection, scan.affine)
            prediction: dict[str, Any] = dict(
                case=out_dir.name,
                patient=self._patient(predicted),
                referral=self._referral(predicted),
                burden=infection_burden(upright, lungs, scan.spacing_mm),
                trust=self._trust(predicted, slices.lung),
                slices=self._slice_entries(scan, slices, predicted),
                model=dict(self.model.provenance, training=self.model.training),
                lungs=self.lungs_record(lung),
                input=_input(scan_path, scan),
                versions=_versions(),
                seconds=timer.seconds,
            )
            prediction['decisive'] = self._decisive(prediction, predicted)
            prediction['facts'] = _facts(scan, slices)
            prediction['flags'] = quality_flags(
                inspection.issues, self.model, facts=prediction['facts'], prediction=prediction
            )
            shown = ShownScan(
                scan=scan, lung=lungs, infection=upright, slices=slices, predicted=predicted
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
        case = load_case(files, self.images, series=self.series)
        case.need_scan()
        inspection = inspect_scan(case, 'hu', self.lungs.find)
        refuse(scan_path, inspection.issues)
        return case, inspection

    def lungs_record(self, lung: str | Path | None) -> dict[str, Any]:
        """How the lungs were found, and the hashes of the files that decided it."""
        if lung is not None:
            return dict(method='given', sha256=[scan_sha256(lung)])
        return dict(method=self.lungs.name, sha256=list(self.lungs.sha256))

    def _slices(
        self, scan_path: str | Path, scan: Volume, lungs: np.ndarray
    ) -> tuple[CaseSlices, np.ndarray]:
        try:
            return scan_slices(scan, lungs, self.model)
        except ScanError as error:
            raise ScanError(f'{scan_path}: {error.what}', error.remedy) from error

    def _patient(self, predicted: SlicePredictions) -> dict[str, Any]:
        model = self.model
        raw = aggregate(predicted.raw_scores, model.aggregation)
        probabilities = apply_temperature(raw[None], model.patient_temperature)[0]
        return dict(
            label=model.classes[int(probabilities.argmax())],
            confidence=round(float(probabilities.max()), 4),
            probabilities=self._by_class(probabilities),
            aggregation=model.aggregation,
            calibrated=bool(model.provenance.get('calibrated')),
        )

    def _referral(self, predicted: SlicePredictions) -> dict[str, Any]:
        """The doubt in the scan, measured as on the validation patients."""
        found = doubt(
            aggregate(predicted.raw_scores, self.model.aggregation),
            prob_sum=float(predicted.prob.sum(dtype=np.float64)),
            prob_in_mask=float(predicted.prob[predicted.infected].sum(dtype=np.float64)),
            mask_pixels=float(predicted.infected.sum()),
        )
        return referral(found, self.model.referral)

    def _trust(self, predicted: SlicePredictions, lung: np.ndarray) -> dict[str, dict[str, Any]]:
        """Measure the maps of the slices that have a saliency."""
        rows = predicted.explained
        return map_trust(
            {name: getattr(predicted, name)[rows] for name in MAPS},
            infection=predicted.infected[rows],
            lung=lung[rows],
            validation=self.model.map_auc,
        )

    def _decisive(self, prediction: dict[str, Any], predicted: SlicePredictions) -> dict[str, Any]:
        """The slices that weigh most in the decision, and how all of them became one."""
        entries, label = prediction['slices'], prediction['patient']['label']
        title, text = decisive_text(len(entries), label, self.model.aggregation)
        chosen = [entries[position] for position in predicted.decisive]
        return dict(
            rule=decision_rule(len(entries), self.model.aggregation),
            title=title,
            text=text,
            slices=[
                dict(
                    {key: entry[key] for key in ('source_slice', 'number', 'saliency')},
                    score=entry['probabilities'][label],
                )
                for entry in chosen
            ],
        )

    def _slice_entries(
        self, scan: Volume, slices: CaseSlices, predicted: SlicePredictions
    ) -> list[dict[str, Any]]:
        infected, heights = predicted.infected, slice_heights_mm(scan).round(2).tolist()
        return [
            dict(
                source_slice=int(source),
                number=len(heights) - int(source),
                z_mm=heights[source],
                probabilities=self._by_class(scores),
                infected_percent_of_lung=round(100 * float(mask.sum() / max(lung.sum(), 1)), 2),
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
        ]

    def _by_class(self, scores: np.ndarray) -> dict[str, float]:
        return {
            name: round(float(score), 4)
            for name, score in zip(self.model.classes, scores, strict=True)
        }


def _volumes(
    predicted: SlicePredictions,
    infection: np.ndarray,
    lungs: np.ndarray,
    slices: CaseSlices,
    scan: Volume,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and array of each volume in turn, so that only one is in memory."""
    yield 'infection', infection.astype(np.uint8)
    yield 'lung', from_upright(lungs, scan.affine).astype(np.uint8)
    for name in MAPS:
        yield name, _to_file_grid(getattr(predicted, name), slices, scan, order=1)


def _facts(scan: Volume, slices: CaseSlices) -> dict[str, float]:
    """What is compared with the training data, measured as there."""
    voxel_ml = float(np.prod(slices.grid.scale) * np.prod(scan.spacing_mm)) / 1000
    part, lung_ml = some(len(slices.lung)), float(slices.lung.sum()) * voxel_ml
    facts = scan_facts(scan.spacing_mm, slices.image[part], slices.lung[part], lung_ml)
    return {name: round(value, 3) for name, value in facts.items()}


def _to_file_grid(
    stack: np.ndarray, slices: CaseSlices, scan: Volume, order: int = 0
) -> np.ndarray:
    """Bring slices (N, H, W) back to the grid of the scan's file."""
    array = slices_to_file_grid(
        stack,
        planes=slices.planes,
        grid=slices.grid,
        affine=scan.affine,
        original_shape=scan.original_shape,
        order=order,
    )
    return array.astype(bool) if stack.dtype == bool else array


def _input(scan_path: str | Path, scan: Volume) -> dict[str, Any]:
    return dict(
        sha256=scan_sha256(scan_path),
        shape=list(scan.original_shape),
        spacing_mm=[round(float(mm), 4) for mm in scan.spacing_mm],
        affine=np.round(scan.affine, 4).tolist(),
        ignored_files=dict(scan.ignored),
    )


def _versions() -> dict[str, str]:
    return dict(
        xaicovid_mm=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
    )
