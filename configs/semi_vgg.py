"""The method, semi-supervised: nothing is known of an unlabelled slice.

Read on in the order data flows: xaicovid_mm/models/multi_task_model.py, models/heads,
models/losses, engine/hooks/pseudo_label_hook.py, explain/pseudo_labeler.py, models/calibration.
"""

_base_ = [
    '_base_/models/multi_scale_vgg.py',
    '_base_/datasets/two_stream.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(
    cam_loss_start=dict(type='CAMLossStartHook', begin=20),  # Fig. 6
    pseudo_label=dict(
        type='PseudoLabelHook',
        # Algorithm 1: the baselines of Tables III and IV; measure them on your own data
        start_when={'cls/auc_macro_slice': 0.86, 'seg/dice_slice_mean': 0.7564},
        start_epoch=20,  # at the latest; not in the paper
        labeler=dict(
            type='PseudoLabeler',
            # three gradients, close to t = 50 of Eq. (7); exact: steps=50, rule='right'
            saliency=dict(steps=3, rule='log'),
            # slices predicted as another class give no evidence of infection; not in the paper
            evidence_from='pred',
            calibration=dict(
                type='SharpenCombination',
                weights=(0.3, 0.4, 0.4),  # lambda, mu, nu: Sec. IV-A
                temperature=0.5,  # T: Sec. IV-A
            ),
        ),
    ),
    pseudo_label_monitor=dict(type='PseudoLabelMonitorHook'),
)
