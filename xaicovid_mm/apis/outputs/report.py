"""A case as one page that needs nothing else: no network, no other file."""

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
"""HU that the page can show: 256 grey values, 8 HU each."""
LAYERS = (
    dict(name='infection', title='infection', rgb=(230, 40, 40)),
    dict(name='caam', title='CAAM', rgb=(255, 170, 0)),
    dict(name='cam', title='CAM', rgb=(60, 190, 90)),
    dict(name='saliency', title='saliency', rgb=(0, 190, 230)),
)
DECISIVE = 8


def write_case_report(
    path: Path, prediction: dict[str, Any], cut: CaseSlices, found: SlicePredictions
) -> None:
    """Write ``report.html``.

    Args:
        path: Of the page.
        prediction: What ``prediction.json`` holds.
        cut: The slices in HU.
        found: What the network said of them.
    """
    decisive = _decisive(prediction)
    page = (
        page_templates(__package__)
        .get_template('report.html.j2')
        .render(
            p=prediction,
            layers=LAYERS,
            titles={layer['name']: layer['title'] for layer in LAYERS},
            decisive=decisive,
            first=decisive[0]['position'],
            size=cut.image.shape[-1],
            percent=lambda share: 'n/a' if share is None else f'{100 * share:.1f} %',
            data=_script_data(_slices(prediction, cut, found)),
            css=page_source(__package__, 'base.css'),
            script=page_source(__package__, 'viewer.js'),
        )
    )
    path.write_text(page, encoding='utf-8')


def _script_data(slices: list[dict[str, Any]]) -> Markup:
    text = json.dumps(dict(hu=HU_RANGE, layers=LAYERS, slices=slices), allow_nan=False)
    return Markup(text.replace('<', '\\u003c'))  # nothing in it can end the script


def _slices(
    prediction: dict[str, Any], cut: CaseSlices, found: SlicePredictions
) -> list[dict[str, Any]]:
    ct = (255 * apply_window(cut.image, HU_RANGE)).round().astype(np.uint8)
    infection = ((found.prob > 0.5) & cut.lung).astype(np.uint8) * 255
    slices = []
    for i, said in enumerate(prediction['slices']):
        maps = dict(ct=ct[i], infection=infection[i], caam=found.caam[i], cam=found.cam[i])
        if said['saliency']:
            maps['saliency'] = found.saliency[i]
        rest = dict(
            source=said['source_slice'],
            scores=said['probabilities'],
            infected=said['infected_percent_of_lung'],
        )
        slices.append({**{name: png_base64(image) for name, image in maps.items()}, **rest})
    return slices


def _decisive(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    """The slices that speak most for the patient's class, in the order of the scan."""
    label = prediction['patient']['label']
    scores = [said['probabilities'][label] for said in prediction['slices']]
    order = np.argsort(scores, kind='stable')[::-1][:DECISIVE].tolist()
    best = order[0]
    rows = [
        dict(position=i, source_slice=prediction['slices'][i]['source_slice'], score=scores[i])
        for i in sorted(order, key=lambda i: (i != best, i))
    ]
    return rows
