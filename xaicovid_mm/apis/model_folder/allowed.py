"""All that a model folder may name: the parts of a network, and every argument with its bounds.

What does not stand here is refused before anything is built. A new part or argument is a new line.
No argument may be a path, an address or the name of a class, and none reaches a loader of files.
"""

import re

from ...classes import CLASSES
from ...evaluation.aggregation import AGGREGATIONS
from ...evaluation.referral import FAILURES
from .kinds import ANY, FLAG, Kind, choice, each, number, one_of, one_or_each, settings, text, whole
from .training_record import TITLES

CHANNELS = whole(1, 4096)
COUNT = whole(0, 64)
INDEX = whole(-64, 63)
SHARE = number(0, 1)
SMALL = number(0, 10)
WEIGHT = number(0, 1000)
TEMPERATURE = number(1e-3, 1e3)
SIDE = whole(16, 1024)
HU = number(-1e4, 1e4)
STEP = whole(1, 16)
CLASS_COUNT = whole(2, 20)
MANY = whole(0, 1_000_000_000)

NORMS = {
    'BN': dict(eps=SHARE, momentum=SHARE, affine=FLAG, requires_grad=FLAG),
    'SyncBN': dict(eps=SHARE, momentum=SHARE, affine=FLAG, requires_grad=FLAG),
    'IN': dict(eps=SHARE, affine=FLAG, requires_grad=FLAG),
    'GN': dict(num_groups=whole(1, 256), eps=SHARE, affine=FLAG, requires_grad=FLAG),
    'LN': dict(eps=SHARE, requires_grad=FLAG),
}
NORM = one_of(NORMS)
ACTIVATION = one_of(
    {'ReLU': {}, 'GELU': {}, 'SiLU': {}, 'LeakyReLU': dict(negative_slope=SMALL, inplace=FLAG)}
)
UPSAMPLING = one_of(
    {'mmseg.DeconvModule': dict(kernel_size=whole(2, 4)), 'mmseg.InterpConv': dict()}
)
RESNET = dict(
    depth=choice(18, 34, 50, 101, 152),
    in_channels=CHANNELS,
    stem_channels=CHANNELS,
    base_channels=CHANNELS,
    num_stages=whole(1, 4),
    strides=each(STEP),
    dilations=each(STEP),
    out_indices=each(INDEX),
    style=choice('pytorch', 'caffe'),
    deep_stem=FLAG,
    avg_down=FLAG,
    frozen_stages=INDEX,
    norm_cfg=NORM,
    norm_eval=FLAG,
    with_cp=FLAG,
    zero_init_residual=FLAG,
    drop_path_rate=SHARE,
)
VIT_NAMES = choice(
    *('small', 'base', 'large', 'huge', 'deit-tiny', 'deit-small', 'deit-base'),
    'dinov2-small',
)
VIT_SHAPE = settings(
    needed=('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'),
    embed_dims=CHANNELS,
    num_layers=COUNT,
    num_heads=whole(1, 64),
    feedforward_channels=whole(1, 16384),
)
UNET = dict(in_channels=each(CHANNELS), negative_slope=SMALL, norm_cfg=NORM)

ENCODERS: dict[str, dict[str, Kind]] = {
    'MultiScaleVGG': dict(
        in_channels=CHANNELS,
        depths=each(COUNT),
        widths=each(CHANNELS),
        out_stages=each(whole(1, 16)),
        negative_slope=SMALL,
        norm_cfg=NORM,
    ),
    'VGG16': dict(in_channels=CHANNELS, base=CHANNELS, norm_cfg=NORM),
    'SegNet': dict(in_channels=CHANNELS, base=CHANNELS),
    'JCSEncoder': dict(in_channels=CHANNELS, base=CHANNELS, depth=choice(50, 101, 152)),
    'mmpretrain.ResNet': RESNET,
    'mmpretrain.ResNetV1d': RESNET,
    'mmpretrain.SEResNet': dict(RESNET, se_ratio=STEP),
    'mmpretrain.ConvNeXt': dict(
        arch=choice('atto', 'femto', 'pico', 'nano', 'tiny', 'small', 'base', 'large', 'xlarge'),
        in_channels=CHANNELS,
        stem_patch_size=STEP,
        linear_pw_conv=FLAG,
        use_grn=FLAG,
        drop_path_rate=SHARE,
        layer_scale_init_value=SHARE,
        out_indices=one_or_each(INDEX),
        frozen_stages=INDEX,
        gap_before_final_norm=FLAG,
        with_cp=FLAG,
    ),
    'mmpretrain.VisionTransformer': dict(
        arch={'anyOf': [VIT_NAMES, VIT_SHAPE]},
        img_size=SIDE,
        patch_size=whole(1, 32),
        in_channels=CHANNELS,
        out_indices=one_or_each(INDEX),
        out_type=choice('featmap'),
        drop_rate=SHARE,
        drop_path_rate=SHARE,
        qkv_bias=FLAG,
        norm_cfg=NORM,
        final_norm=FLAG,
        with_cls_token=FLAG,
        frozen_stages=INDEX,
        layer_scale_init_value=SHARE,
        pre_norm=FLAG,
    ),
    'mmpretrain.TIMMBackbone': dict(
        model_name=text(80, '[a-z0-9_.]+'),  # no colon or slash: those fetch or open files
        features_only=FLAG,
        pretrained=choice(False),
        in_channels=CHANNELS,
        out_indices=each(INDEX),
        img_size=SIDE,
        dynamic_img_size=FLAG,
        drop_rate=SHARE,
        drop_path_rate=SHARE,
    ),
    'mmseg.UNet': dict(
        in_channels=CHANNELS,
        base_channels=CHANNELS,
        num_stages=STEP,
        strides=each(STEP),
        enc_num_convs=each(COUNT),
        dec_num_convs=each(COUNT),
        downsamples=each(FLAG),
        enc_dilations=each(STEP),
        dec_dilations=each(STEP),
        with_cp=FLAG,
        norm_cfg=NORM,
        act_cfg=ACTIVATION,
        upsample_cfg=UPSAMPLING,
        norm_eval=FLAG,
    ),
}
PYRAMIDS: dict[str, dict[str, Kind]] = {
    'SimpleFeaturePyramid': dict(
        in_channels=CHANNELS, out_channels=CHANNELS, scales=each(number(0.5, 4))
    )
}
BACKBONES: dict[str, dict[str, Kind]] = {
    **ENCODERS,
    'PretrainedEncoder': dict(
        encoder=one_of(ENCODERS),
        mean=each(number(-10, 10), most=4),
        std=each(number(1e-3, 10), most=4),
        pyramid=one_of(PYRAMIDS),
        frozen=FLAG,
    ),
}
CAM_LOSSES = {
    'CAMLoss': dict(detach=choice('weights', 'all', 'none'), reduction=choice('mean', 'sum'))
}
MASK_LOSSES = {
    'WeightedBCELoss': dict(
        bg_weight={**SHARE, 'type': ['number', 'string'], 'pattern': r'\Aauto\Z'},
        mean_over=choice('valid', 'all'),
    ),
    'DiceLoss': dict(smooth=SMALL),
    'BCEDiceLoss': dict(smooth=SMALL, bce_weight=WEIGHT, dice_weight=WEIGHT),
}
CLASS_HEADS: dict[str, dict[str, Kind]] = {
    'MultiScaleCAMHead': dict(
        in_channels=each(CHANNELS),
        in_index=each(INDEX),
        num_classes=CLASS_COUNT,
        alphas=each(WEIGHT),
        cam_loss=one_of(CAM_LOSSES),
        cam_on=choice('slices', 'infected_lungs'),
        pool=choice('max', 'avg', 'lse'),
        encoder_grad=SHARE,
        adapter=whole(0, 8),
        map_weight=WEIGHT,
        negative_slope=SMALL,
    ),
    'PooledHead': dict(
        in_channels=CHANNELS,
        in_index=INDEX,
        max_pool=FLAG,
        pool_size=whole(1, 7),
        hidden=each(whole(1, 8192), most=4),
        num_classes=CLASS_COUNT,
        dropout=SHARE,
    ),
}
DECODE_HEADS: dict[str, dict[str, Kind]] = {
    'UNetDecodeHead': UNET,
    'SaliencyBridgeHead': dict(UNET, bridge_channels=CHANNELS),
    'JCSDecodeHead': dict(in_channels=each(CHANNELS), in_index=each(INDEX)),
    'FCNHead': dict(
        _scope_=choice('mmseg'),
        in_channels=one_or_each(CHANNELS),
        channels=CHANNELS,
        in_index=one_or_each(INDEX),
        input_transform=choice('resize_concat', 'multiple_select'),
        num_convs=COUNT,
        kernel_size=whole(1, 7),
        concat_input=FLAG,
        dilation=STEP,
        num_classes=choice(2),
        out_channels=choice(1),
        threshold=SHARE,
        dropout_ratio=SHARE,
        norm_cfg=NORM,
        act_cfg=ACTIVATION,
        ignore_index=whole(0, 255),
        align_corners=FLAG,
    ),
}
REFINERS: dict[str, dict[str, Kind]] = {
    'GradCAMRefiner': dict(in_channels=each(CHANNELS), in_index=each(INDEX), width=CHANNELS)
}

EXPLANATION = settings(
    saliency=settings(
        steps=whole(1, 200),
        rule=choice('right', 'middle', 'left', 'gauss', 'log'),
        baseline=choice('black', 'mean', 'blur'),
        output=choice('logit', 'prob'),
        sign=choice('abs', 'positive'),
        percentile=number(1, 100),
    ),
    activation=settings(
        source=choice('caam', 'cam', 'score'),
        fuse=choice('mean', 'max', 'product', 'conv5'),
    ),
)
PREPROCESSING = settings(
    needed=('size', 'intensity', 'window', 'lung_fill', 'prepared'),
    size=each(SIDE, 2, 2),
    intensity=choice('hu', 'display'),
    window=each(HU, 2, 2),
    lung_fill=FLAG,
    prepared=settings(
        others=True,  # how the store was made: read by people
        spacing_mm=each(number(0.2, 20), 3, 3),
        crop_lung=SHARE,
        min_lung_px=whole(0, 1_000_000),
        clahe_clip=SHARE,
    ),
)
MEASURED = {**SHARE, 'type': ['number', 'null']}  # null: too few patients
CALIBRATED = settings(others=True, ece_before=MEASURED, ece_after=MEASURED)
CALIBRATION = settings(
    needed=('temperature', 'aggregation'),
    others=True,  # how well it fits: read by people
    temperature=TEMPERATURE,
    patient_temperature=TEMPERATURE,
    calibrated=FLAG,
    reason=text(500),
    aggregation=choice(*AGGREGATIONS),
    patients=settings((), True, **dict.fromkeys(AGGREGATIONS, CALIBRATED)),
)
TRAINING = settings(
    needed=('phantom', 'ranges'),
    phantom=FLAG,
    patients=MANY,
    scans=MANY,
    slices=MANY,
    sites=MANY,
    ranges=settings((), False, **dict.fromkeys(TITLES, each(number(-1e5, 1e5), 2, 2))),
)
REFERRED_FROM = settings(
    others=True,  # how it was chosen: read by people
    threshold={'type': ['number', 'null'], 'minimum': 0, 'maximum': 1},
)
REFERRAL = settings((), False, **dict.fromkeys(FAILURES, REFERRED_FROM))
MAP_SCORE = re.compile(
    r'\Aexplain/(caam|class_map|saliency)/infection_auc_of_true_class_patient_mean\Z'
)
"""Names of the scores that say what a map was worth, see ``ExplanationMetric``."""
SCORES = {
    'type': 'object',
    'patternProperties': {
        MAP_SCORE.pattern: settings(
            ('value',), others=True, value=SHARE, low=MEASURED, high=MEASURED, patients=MANY
        )
    },
}
PROVENANCE = settings(others={**text(200), 'type': ['string', 'number', 'boolean', 'null']})


def models() -> dict[str, dict[str, Kind]]:
    """Arguments of each whole network, by its name. Read anew at each call, see the tables."""
    preprocessor = one_of({'CTDataPreprocessor': dict(non_blocking=FLAG)})
    mask = dict(
        backbone=one_of(BACKBONES),
        decode_head=one_of(DECODE_HEADS),
        mask_loss=one_of(MASK_LOSSES),
        data_preprocessor=preprocessor,
    )
    both = dict(
        mask,
        cls_head=one_of(CLASS_HEADS),
        loss_weights=settings(others=WEIGHT),
        channels_last=FLAG,
    )
    return {
        'MultiTaskModel': both,
        'JCSModel': both,
        'MultiMixModel': both,
        'UniMatchModel': dict(both, drop=SHARE),
        'PseudoSegModel': dict(both, refiner=one_of(REFINERS)),
        'LungSegmentor': dict(mask, size=SIDE, window=each(HU, 2, 2)),
    }


def description() -> Kind:
    """What ``model.json`` may hold. Every setting that is read is listed."""
    return settings(
        needed=('format', 'version', 'model', 'weights_sha256'),
        format=ANY,
        version=ANY,
        weights_sha256=text(64, '[0-9a-f]{64}'),
        model=one_of(models()),
        classes=choice([*CLASSES]),  # maps explain, and flags read, a class by its place
        threshold={'type': 'number', 'exclusiveMinimum': 0, 'exclusiveMaximum': 1},
        min_area={'type': 'number', 'minimum': 0, 'exclusiveMaximum': 1},
        explanation=EXPLANATION,
        preprocessing=PREPROCESSING,
        calibration=CALIBRATION,
        training=TRAINING,
        referral=REFERRAL,
        validation=settings(others=True, scores=SCORES),  # read by people but for maps
        provenance=PROVENANCE,
    )
