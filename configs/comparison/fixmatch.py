"""FixMatch on masks, on our network: the decoder's confident pixels teach the strong view.

Rounded, at confidence 0.95 and with weight 1 as in FixMatch. The paper argues against such labels;
they are not in its tables.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/semi_vgg.py'

model = dict(eta=1.0)
default_hooks = dict(
    pseudo_label=dict(
        start_when=None,
        start_epoch=0,
        labeler=dict(
            gate='none',
            hard=True,
            confidence=0.95,
            calibration=dict(_delete_=True, type='WeightedMean', weights=(0, 0, 1)),
        ),
    ),
    pseudo_label_audit=None,
)
