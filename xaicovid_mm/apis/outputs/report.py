"""The report page of a case: one HTML file that needs no network and no other file."""

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...classes import CLASSES, COVID
from ...utils.html import page_source, page_templates
from ...utils.words import counted
from .quality_flags import GRAVE
from .viewer_data import MAP_LAYERS, ShownScan, class_colours, viewer_data


def write_case_report(path: Path, *, prediction: dict[str, Any], shown: ShownScan) -> None:
    """Write ``report.html``.

    Args:
        path: File to write.
        prediction: Content of ``prediction.json``.
        shown: The scan with what was found in it.
    """
    data = viewer_data(shown, prediction)
    flags = prediction['flags']
    page = (
        page_templates(__package__)
        .get_template('report.html.j2')
        .render(
            p=prediction,
            grave=[flag for flag in flags if flag['code'] in GRAVE],
            cautions=[flag for flag in flags if flag['code'] not in GRAVE],
            maps=data['maps'],
            titles={layer['name']: layer['title'] for layer in MAP_LAYERS},
            classes=class_colours(prediction),
            covid=CLASSES[COVID],
            size=shown.scan.data.shape,
            reduced=data['reduced'],
            where_maps=where_maps(prediction['slices']),
            saliency=prediction['saliency'],
            made_saliency=made_saliency(prediction['saliency']),
            trained_on=trained_on(prediction['model']['training']),
            percent=lambda share: 'n/a' if share is None else f'{100 * share:.1f} %',
            measured=measured,
            data=_script_data(data),
            css=page_source(__package__, 'base.css') + page_source(__package__, 'report.css'),
            script=page_source(__package__, 'viewer.js'),
        )
    )
    path.write_text(page, encoding='utf-8')


def where_maps(entries: list[dict[str, Any]]) -> str:
    """Say which slices have maps, by their numbers."""
    numbers = sorted(entry['number'] for entry in entries)
    explained = [str(entry['number']) for entry in entries if entry['saliency']][::-1]
    text = (
        'Probability, CAAM and CAM are there for the slices that show lung '
        f'({len(numbers)}: {numbers[0]} to {numbers[-1]})'
    )
    if len(explained) == len(numbers):
        return f'{text}, saliency too.'
    if not explained:
        return f'{text}; no saliency was made.'
    return f'{text}; saliency for {len(explained)} of them: {", ".join(explained)}.'


def made_saliency(made: dict[str, Any]) -> str:
    """Say how the saliency was made, without the score that it explains."""
    kept = 'magnitude' if made['sign'] == 'abs' else 'positive part'
    steps = 'step' if made['steps'] == 1 else 'steps'
    return (
        f'Integrated Gradients, {made["steps"]} {steps} of the rule {made["rule"]!r} from the '
        f'baseline {made["baseline"]!r}; {kept}, clipped at the percentile '
        f'{made["percentile"]:g} of the lung'
    )


def trained_on(record: dict[str, Any] | None) -> str:
    """Say in words what a model was trained on."""
    if record is None:
        return 'unknown'
    kind = 'phantoms' if record['phantom'] else 'patients'
    nouns = ('patient', 'scan', 'slice', 'site')
    numbers = [counted(record[f'{noun}s'], noun) for noun in nouns if f'{noun}s' in record]
    return f'{kind}: {", ".join(numbers)}' if numbers else kind


def measured(score: dict[str, Any] | None) -> str:
    """Write what a map was worth on validation patients, with interval and number of patients."""
    if score is None:
        return 'not measured'
    text = f'{score["value"]:.2f}'
    if score['low'] is not None and score['high'] is not None:
        text += f' ({score["low"]:.2f} to {score["high"]:.2f})'
    return text if score['patients'] is None else f'{text}, {score["patients"]} patients'


def _script_data(data: dict[str, Any]) -> Markup:
    text = json.dumps(data, allow_nan=False)
    return Markup(text.replace('<', '\\u003c'))  # so that no text can end the script
