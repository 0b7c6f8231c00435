"""The report page of a case: one HTML file that needs no network and no other file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ...data_prep.slicing.slices import CaseSlices
from ...data_prep.slicing.windowing import apply_window
from ...utils.html import page_source, page_templates, png_base64
from ..slice_predictor import SlicePredictions

HU_RANGE = (-1400, 600)
"""HU that the page can show, in 256 grey values of about 8 HU each."""
LAYERS = (
    dict(name='infection', title='infection', rgb=(230, 40, 40)),
    dict(name='caam', title='CAAM', rgb=(255, 170, 0)),
    dict(name='cam', title='CAM', rgb=(60, 190, 90)),
    dict(name='saliency', title='saliency', rgb=(0, 190, 230)),
)
DECISIVE = 8
"""Number of slices that the page lists as decisive."""


def write_case_report(
    path: Path, *, prediction: dict[str, Any], slices: CaseSlices, predicted: SlicePredictions
) -> None:
    """Write ``report.html``.

    Args:
        path: File to write.
        prediction: Content of ``prediction.json``.
        slices: The N slices in HU.
        predicted: Predictions and maps of the N slices.
    """
    decisive = _decisive_slices(prediction)
    page = (
        page_templates(__package__)
        .get_template('report.html.j2')
        .render(
            p=prediction,
            layers=LAYERS,
            titles={layer['name']: layer['title'] for layer in LAYERS},
            decisive=decisive,
            first=decisive[0]['position'],
            size=slices.image.shape[-1],
            percent=lambda share: 'n/a' if share is None else f'{100 * share:.1f} %',
            data=_script_data(_slice_records(prediction, slices, predicted)),
            css=page_source(__package__, 'base.css'),
            script=page_source(__package__, 'viewer.js'),
        )
    )
    path.write_text(page, encoding='utf-8')


def _script_data(records: list[dict[str, Any]]) -> Markup:
    text = json.dumps(dict(hu=HU_RANGE, layers=LAYERS, slices=records), allow_nan=False)
    return Markup(text.replace('<', '\\u003c'))  # so that no text can end the script


def _slice_records(
    prediction: dict[str, Any], slices: CaseSlices, predicted: SlicePredictions
) -> list[dict[str, Any]]:
    """Return the images and scores of each slice for the script of the page."""
    ct = (255 * apply_window(slices.image, HU_RANGE)).round().astype(np.uint8)
    infection = predicted.infected.astype(np.uint8) * 255
    records = []
    for i, entry in enumerate(prediction['slices']):
        images = dict(
            ct=ct[i], infection=infection[i], caam=predicted.caam[i], cam=predicted.cam[i]
        )
        if entry['saliency']:
            images['saliency'] = predicted.saliency[i]
        scores = dict(
            source=entry['source_slice'],
            scores=entry['probabilities'],
            infected=entry['infected_percent_of_lung'],
        )
        records.append({name: png_base64(image) for name, image in images.items()} | scores)
    return records


def _decisive_slices(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the slices with the highest probability of the patient's class.

    The highest comes first, the others follow in the order of the scan.
    """
    label = prediction['patient']['label']
    scores = [entry['probabilities'][label] for entry in prediction['slices']]
    best, *others = np.argsort(scores, kind='stable')[::-1][:DECISIVE].tolist()
    return [
        dict(position=i, source_slice=prediction['slices'][i]['source_slice'], score=scores[i])
        for i in (best, *sorted(others))
    ]
