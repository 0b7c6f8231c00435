"""The recipe that we recommend, semi-supervised: few annotated slices, many without a mask.

It keeps the paper's idea (maps of the classifier and the decoder make calibrated pseudo labels) and
changes what measurements spoke against; docs/explanation/recipe.md gives the reasons.
"""

_base_ = [
    '_base_/models/recommended.py',
    '_base_/datasets/two_stream.py',
    '_base_/schedules/cosine.py',
    '_base_/default_runtime.py',
]

train_views = [  # imitate other patients and scanners: there are few
    dict(
        type='RandomGeometry', flip_prob=0.5, rotate_deg=(-10, 10), scale=(0.85, 1.15), shift=0.06
    ),
    dict(type='IntensityJitter', gamma=(0.75, 1.35), brightness=(0.85, 1.15), noise_std=(0, 0.03)),
]
strong_views = [  # imitate other scanners; the lungs alone are changed
    dict(
        type='StrongView',
        contrast=(0.5, 1.5),
        sharpness=(1.0, 1.0),
        gamma=(0.5, 2.0),
        brightness=(0.7, 1.3),
        blur_px=(0.0, 1.0),
        noise_std=(0.0, 0.05),
    )
]

train_dataloader = dict(
    dataset=dict(
        class_from_mask=True,  # a COVID-19 slice without infection is taught as NP
        pipeline=[*train_views, *strong_views, dict(type='PackCTInputs', two_views=True)],
    )
)
default_hooks = dict(
    pseudo_label=dict(
        type='PseudoLabelHook',
        teacher='ema',
        start_epoch=_base_.max_epochs // 2,
        paste=dict(type='PasteBoxes', area=(0.2, 0.5), labelled=0.5),
        labeler=dict(
            type='PseudoLabeler',
            saliency=dict(steps=8, rule='right'),
            activation=dict(source='score'),
            evidence_from='none',  # the posterior knows what a slice's class is worth
            calibration=dict(type='EvidenceFusion', temperature=0.5),
        ),
    ),
    evidence_fit=dict(
        type='EvidenceFitHook',
        dataset=_base_.val_dataloader.dataset,  # the masks of the validation patients
        interval=2,
    ),
    pseudo_label_monitor=dict(type='PseudoLabelMonitorHook'),
)
# specks below 0.15 % of a slice, about 1 cm2, are no infection
val_evaluator = [dict(type='InfectionMetric', min_area=0.0015), dict(type='DiagnosisMetric')]
test_evaluator = val_evaluator
# the average of the weights teaches, is validated and is what is kept
custom_hooks = [dict(type='AveragedTeacherHook', momentum=0.01)]
