"""FixMatch on masks, on our network: the decoder's confident pixels teach the strong view.

Rounded, at confidence 0.95, doubtful pixels counted in the mean (with the paper's mask loss), and
weighed as much as the labelled slices, as in FixMatch. The paper argues against such labels;
they are not in its tables.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'

model = dict(
    loss_weights=dict(eta=_base_.model.loss_weights.gamma),
    mask_loss=dict(mean_over='all') if _base_.model.mask_loss.type == 'WeightedBCELoss' else dict(),
)
default_hooks = dict(
    pseudo_label=dict(
        teacher='self',
        paste=None,
        start_when=None,
        start_epoch=0,
        labeler=dict(
            evidence_from='none',
            hard=True,
            confidence=0.95,
            calibration=dict(_delete_=True, type='WeightedMean', weights=(0, 0, 1)),
        ),
    ),
    evidence_fit=None,
    pseudo_label_audit=None,
)
