"""Scores of the explanation maps in validation, see docs/how-to/explain.md.

Use it beside a base that has an evaluation: ``val_evaluator=[*_base_.val_evaluator,
_base_.pop('explanation')]`` and ``custom_hooks=[*_base_.custom_hooks,
_base_.pop('explanation_hook')]``.
"""

explanation = dict(
    type='ExplanationMetric',
    store='{{$XAICOVID_STORE:data/phantom/store}}',
    maps=dict(
        caam=dict(type='ActivationExplainer', source='caam'),
        class_map=dict(type='ActivationExplainer', source='class'),
        saliency=dict(type='SaliencyExplainer', steps=8),
        grad_cam=dict(type='GradCAMExplainer'),
        decoder=dict(type='DecoderExplainer'),
    ),
    parts=('localisation', 'agreement'),
    max_slices=40,
)
explanation_hook = dict(type='xaicovid_mm.evaluation.explanation.model_hook.ExplanationModelHook')
