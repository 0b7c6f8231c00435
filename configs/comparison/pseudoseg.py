"""PseudoSeg (Table IV): decoder and refined Grad-CAM, fused by its own calibration.

On our encoder, classifier and decoder, so that the ideas are compared and not the networks; mask
losses and strong view are ours as well. Left out: the cutout. It starts with the first epoch.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'

model = dict(
    type='PseudoSegModel',
    refiner=dict(type='GradCAMRefiner', in_index=(-2, -1), width=128),
    cls_head=dict(alphas=(0.0, 0.0, 0.0), encoder_grad=1.0, adapter=0, map_weight=0.0),
)
default_hooks = dict(
    cam_loss_start=None,
    pseudo_label=dict(
        teacher='self',
        paste=None,
        start_when=None,
        start_epoch=0,
        labeler=dict(
            _delete_=True,
            type='PseudoSegLabeler',
            evidence_from='pred',
            calibration=dict(type='RMSFusion', temperature=0.5),
        ),
    ),
    evidence_fit=None,
    pseudo_label_audit=None,
)
