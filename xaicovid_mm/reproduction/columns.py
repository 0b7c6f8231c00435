"""Names of the metrics that tables of the comparison show."""

ACC, SENS, SPEC, AUC, PATIENT_AUC = (
    f'cls/{name}'
    for name in (
        'accuracy_slice',
        'sensitivity_macro_slice',
        'specificity_macro_slice',
        'auc_macro_slice',
        'auc_macro_patient',
    )
)
DICE, IOU = 'seg/dice_slice_mean', 'seg/iou_slice_mean'
DICE_INFECTED_SLICE, DICE_INFECTED_PATIENT = (
    'seg/dice_infected_slice_mean',
    'seg/dice_infected_patient_mean',
)
NSD, HD95 = 'seg/nsd_3mm_infected_slice_mean', 'seg/hd95_mm_hit_slice_mean'
HIT, LEFT_EMPTY = 'seg/hit_slice_share', 'seg/empty_slice_perfect_share'
