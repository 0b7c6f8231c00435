"""Definitions of the scores in words, for files that are read without the code."""

_MEASURES = {
    'dice': '2TP/(2TP+FP+FN) of infected pixels',
    'iou': 'TP/(TP+FP+FN) of infected pixels',
    'nsd_3mm': 'share of both outlines within 3 mm of the other, in the plane; 0 if nothing found',
    'hd95_mm': '95th percentile of the distances between the outlines, in the plane, the larger '
    'of both ways',
    'accuracy': 'share of right classes',
    'sensitivity_macro': 'TP/(TP+FN) of one class against the rest, mean over classes that occur',
    'specificity_macro': 'TN/(TN+FP) of one class against the rest, mean over classes that occur',
    'auc_macro': 'area under the ROC curve of one class against the rest, ties count half, mean '
    'over classes that occur',
    'auc': 'area under the ROC curve of one class against the rest, ties count half',
}
_AVERAGES = {
    'infected_slice_mean': 'mean over slices with infection',
    'hit_slice_mean': 'mean over slices with infection in which some was found',
    'slice_mean': 'mean over slices; a slice without infection that gets none scores 1',
    'volume_mean': 'counts summed by volume, mean over volumes; empty and left empty scores 1',
    'infected_patient_mean': 'counts summed by patient, mean over patients with infection',
    'patient_mean': 'counts summed by patient, mean over patients; empty and left empty scores 1',
    'global': 'counts of all slices summed',
    'slice': 'every slice for itself',
    'patient': 'mean class probabilities over the slices of a patient',
}
_WHOLE = {
    'empty_slice_share': 'slices without infection, share of all slices',
    'hit_slice_share': 'slices with infection in which some was found, share of those with it '
    '(whose pixels have a size in mm, as for NSD and HD95)',
    'empty_slice_perfect_share': 'slices without infection that get none, share of those without',
}
_METHOD = (
    'by the jackknife: Wilson for scores in [0, 1], Student for the logarithm of distances and for '
    'differences; none where a score, or a class that it needs, has fewer than 6 patients. Masks '
    'are prob > threshold of the metric (0.5 unless the config says otherwise), inside the lungs '
    'where they are known, empty below its min_area.'
)
INTERVAL = f'95 % over patients, {_METHOD}'
SEEDED_INTERVAL = f'95 % over patients and seeds, {_METHOD}'
"""The same of a mean over seeds."""
P_VALUE = (
    'sign-flip test over the patients of the score, both sides, the seeds as they are, not '
    'corrected for the number of comparisons'
)


def definition(name: str) -> str:
    """Return the meaning of a score named ``<prefix>/<measure>_<average>``.

    Raises:
        KeyError: If the name has no definition.
    """
    bare = name.rpartition('/')[2]
    if bare in _WHOLE:
        return _WHOLE[bare]
    for average, how in _AVERAGES.items():
        if bare.endswith(f'_{average}'):
            measure = bare.removesuffix(f'_{average}')
            key = measure if measure in _MEASURES else measure.partition('_')[0]
            return f'{_MEASURES[key]}; {how}'
    raise KeyError(
        f'{name!r} has no definition: add its average to evaluation/metric_definitions.py'
    )
