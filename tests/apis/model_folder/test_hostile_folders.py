"""A model folder from a stranger: what is not listed is refused before anything is built."""

import hashlib
import inspect
import json
import os
import pickle
import re
import resource
import time

import mmpretrain.registry
import mmseg.registry
import pytest
import safetensors.torch
import torch
from mmengine.registry import MODELS as ROOT
from tiny_model import CONFIG, WIDTHS

from xaicovid_mm.apis import init_model
from xaicovid_mm.apis.model_folder import allowed
from xaicovid_mm.apis.model_folder.check import check_description
from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
from xaicovid_mm.apis.model_folder.description import TRAINING_ONLY
from xaicovid_mm.apis.model_folder.files import ModelFolderError, read_description
from xaicovid_mm.explain import FusedActivation, Saliency
from xaicovid_mm.registry import MODELS

PARTS = {
    'backbone': allowed.BACKBONES,
    'cls_head': allowed.CLASS_HEADS,
    'decode_head': allowed.DECODE_HEADS,
    'refiner': allowed.REFINERS,
    'mask_loss': allowed.MASK_LOSSES,
}
NORMS = allowed.NORMS
NESTED = {
    'backbone.norm_cfg': NORMS,
    'decode_head.norm_cfg': NORMS,
    'cls_head.cam_loss': allowed.CAM_LOSSES,
}
ARGUMENTS = [
    (place, name, argument, kind)
    for place, parts in PARTS.items()
    for name, arguments in parts.items()
    for argument, kind in arguments.items()
]
HOSTILE = [
    'http://127.0.0.1:9/x.pkl',
    'file:///etc/passwd',
    '/srv/x.pkl',
    '../x.pkl',
    'hf_hub:somebody/something',
    'os.system',
    '$(touch x)',
    '3',
    'nan',
    'inf',
    'mobilenetv3_small_100\n',
    {'type': 'os.system', 'command': 'true'},
    {'type': 'mmpretrain.CLIPGenerator', 'tokenizer_path': '/srv/x'},
    {'type': 'Pretrained', 'checkpoint': 'http://127.0.0.1:9/x.pth'},
    {},
    [{'type': 'os.system'}],
    [['a']],
    [True, 'a'],
    [1.5, 'a'],
    [1] * 1000,
    [-1e9],
    1e9,
    10**30,
    -(10**9),
    0.1234567e-300 - 5000,
]


def with_part(place, part):
    """The config of a network with a part at a dotted place."""
    config = dict(json.loads(json.dumps(CONFIG)), type='PseudoSegModel')
    *way, last = place.split('.')
    node = config
    for name in way:
        node = node[name]
    node[last] = part
    return config


def check_network(config):
    check_description(dict(format='', version=1, weights_sha256='0' * 64, model=config))


def refused(config, where=''):
    with pytest.raises(ValueError) as caught:
        check_network(config)
    assert where in str(caught.value) and len(str(caught.value)) < 500
    return True


def test_the_plain_network_passes():
    check_network(with_part('mask_loss', dict(type='WeightedBCELoss', bg_weight='auto')))


def test_every_module_of_every_library_that_is_not_listed_is_refused():
    tried = 0
    for scope, registry in (
        ('', MODELS),
        ('mmpretrain.', mmpretrain.registry.MODELS),
        ('mmseg.', mmseg.registry.MODELS),
        ('mmengine.', ROOT),
    ):
        registry.import_from_location()
        for name in registry.module_dict:
            for place, parts in (('backbone', allowed.BACKBONES), ('backbone.norm_cfg', NORMS)):
                for kind in {name, f'{scope}{name}'} - parts.keys():
                    tried += refused(with_part(place, dict(type=kind)), f'model.{place}.type')
    assert tried > 1000


@pytest.mark.parametrize(
    'kind',
    [
        'os.system',
        'subprocess.run',
        'torch.load',
        'mmengine.Runner',
        'mmpretrain.init_model',
        'xaicovid_mm.models.MultiScaleVGG',
        'mmseg.MultiScaleVGG',
        'MultiScaleVGG ',
        'multiscalevgg',
        '',
        7,
        None,
        True,
        ['MultiScaleVGG'],
        {'type': 'MultiScaleVGG'},
    ],
)
@pytest.mark.parametrize('place', [*PARTS, *NESTED])
def test_a_type_is_a_listed_name_and_nothing_else(place, kind):
    assert refused(with_part(place, dict(type=kind)), f'model.{place}')


@pytest.mark.parametrize('place', ['backbone', 'cls_head', 'decode_head'])
@pytest.mark.parametrize(
    'name', ['_scope_', 'init_cfg', 'pretrained', 'checkpoint_path', 'loss_decode', 'x']
)
def test_an_argument_that_is_not_listed_is_refused(place, name):
    part = dict(CONFIG[place])
    part[name] = 'os' if name == '_scope_' else dict(type='Pretrained', checkpoint='x')
    assert refused(with_part(place, part), name)


@pytest.mark.parametrize('place, name, argument, kind', ARGUMENTS)
def test_no_listed_argument_takes_a_hostile_value(place, name, argument, kind):
    for value in HOSTILE:
        if argument != 'model_name' or not re.fullmatch('[a-z0-9_.]+', str(value)):
            assert refused(with_part(place, {'type': name, argument: value}), argument)


@pytest.mark.parametrize('name', ['os.system', '3', 'resnet18.x', 'no_such_model'])
def test_a_name_that_timm_does_not_know_is_refused(change, name):
    with pytest.raises(ModelFolderError, match='cannot be built'):
        init_model(change('model.backbone', dict(type='mmpretrain.TIMMBackbone', model_name=name)))


def test_every_argument_of_our_parts_is_listed():
    """A new argument needs a line in ``allowed``, or a name in ``TRAINING_ONLY``."""
    tables = [*PARTS.values(), allowed.PYRAMIDS, allowed.CAM_LOSSES, allowed.models()]
    for parts in tables:
        for name, listed in parts.items():
            kind = MODELS.module_dict.get(name)
            if kind is None:
                continue
            taken = {
                argument
                for owner in kind.__mro__
                if owner.__module__.startswith('xaicovid_mm') and '__init__' in vars(owner)
                for argument, p in inspect.signature(owner.__init__).parameters.items()
                if p.kind is p.POSITIONAL_OR_KEYWORD and argument != 'self'
            }
            assert taken - TRAINING_ONLY <= listed.keys(), name


@pytest.mark.parametrize('name, made', [('saliency', Saliency), ('activation', FusedActivation)])
def test_every_setting_of_an_explanation_that_is_listed_can_be_given(name, made):
    listed = allowed.EXPLANATION['properties'][name]['properties'].keys()
    assert listed and listed <= inspect.signature(made).parameters.keys()


BAD_SETTINGS = {
    'threshold': [0, 1, -0.5, 2, '0.5', True, [0.5]],
    'referral': [{'threshold': 0.5}, {'wrong_class': {'threshold': 2}}, {'wrong_class': 0.5}],
    'min_area': [1, -0.1, '0', False, [0]],
    'classes': [[], ['NP'], ['NP', 'NP', 'CAP'], ['a' * 99, 'b', 'c'], 'NP', [1, 2, 3], ['x'] * 99],
    'explanation.saliency.steps': [0, -1, 1e9, 10**9, 201, 2.5, True, '8', None, [8]][:-2],
    'explanation.saliency.rule': ['os.system', 7, True],
    'explanation.saliency.percentile': [0, 101, 'nan', True],
    'explanation.saliency.x': [1],
    'explanation.activation.fuse': ['x', 3],
    'explanation.labeler': [dict(type='PseudoLabeler')],
    'preprocessing.size': [[1e9, 1e9], [32], [0, 0], [32, 64], [32, '32'], [True, True], 32],
    'preprocessing.window': [[250, -1250], [0, 0], [-1e9, 0], ['a', 'b'], [0], [0, 1, 2]],
    'preprocessing.intensity': ['x', 1],
    'preprocessing.lung_fill': ['yes', 1],
    'preprocessing.prepared.spacing_mm': [[1e-9, 1, 1], [0, 0, 0], [-1, 1, 1], [1, 1], '1 1 1'],
    'preprocessing.prepared.crop_lung': [-1, 1e9, '0'],
    'preprocessing.prepared.min_lung_px': [-1, 1e9, 2.5],
    'preprocessing.prepared.clahe_clip': [-1, 7, '/x'],
    'calibration.temperature': [0, -1, 1e9, '1', True],
    'calibration.patient_temperature': [0, -1, 1e9, '1'],
    'calibration.calibrated': ['yes', 1],
    'calibration.reason': [7, 'x' * 501],
    'calibration.aggregation': ['os.system', 1],
    'provenance.seed': [dict(a=1), [1], 'x' * 999],
    'weights_sha256': [7, 'x'],
    'something': [1],
    'model': [7, 'x', [], [CONFIG], {}],
}


@pytest.mark.parametrize(
    'key, value', [(key, value) for key, values in BAD_SETTINGS.items() for value in values]
)
def test_a_setting_of_another_kind_or_out_of_bounds_is_refused(change, key, value):
    with pytest.raises(ModelFolderError, match=key.rpartition('.')[2]):
        DeployedModel.from_folder(change(key, value))


@pytest.mark.parametrize('number', [b'NaN', b'Infinity', b'-Infinity', b'1e999', b'1' * 5000])
@pytest.mark.parametrize('key', ['threshold', 'validation.x', 'preprocessing.prepared.x'])
def test_a_number_that_is_none_is_refused_anywhere(change, key, number):
    with pytest.raises(ModelFolderError, match='no description of a model'):
        DeployedModel.from_folder(change(key, number))


def test_deep_and_endless_descriptions_are_refused_at_once(change, served):
    start = time.monotonic()
    sound = (served / 'model.json').read_text()
    nested = (b'[' * 300_000 + b']' * 300_000, b'{"a":' * 100_000 + b'1' + b'}' * 100_000)
    for value in (*nested, b'[%s]' % (b'[' * 900 + b']' * 900), [1] * 300_000, 'x' * 2_000_000):
        (served / 'model.json').write_text(sound)
        with pytest.raises(ModelFolderError) as caught:
            init_model(change('model.backbone.depths', value))
        assert len(str(caught.value)) < 1000
    (served / 'model.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ModelFolderError, match='no description'):
        init_model(served)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    'backbone, head',
    [
        (dict(type='MultiScaleVGG', widths=[4096] * 16, depths=[64] * 16), {}),
        (dict(type='VGG16', base=512), dict(hidden=[8192] * 4, pool_size=7)),
        (dict(type='mmpretrain.ResNet', depth=152, base_channels=4096), {}),
        (dict(type='JCSEncoder', base=4096), {}),
        (dict(type='mmpretrain.ConvNeXt', arch='xlarge', in_channels=1), {}),
    ],
)
def test_a_network_much_larger_than_its_weights_is_not_made(change, backbone, head):
    """Each would take between 1 and 600 GB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = dict(
        type='MultiTaskModel', backbone=backbone, cls_head=dict(type='PooledHead', **head)
    )
    with pytest.raises(ModelFolderError, match='much larger than its weights'):
        init_model(change('model', network))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB


def test_maps_that_no_memory_holds_are_refused(change, served):
    wide = dict(CONFIG['backbone'], widths=[128, 1, 1, 1, 1], depths=[1] * 5)
    network = dict(CONFIG, backbone=wide, cls_head=dict(type='PooledHead'))
    network['decode_head'] = dict(type='UNetDecodeHead')
    change('preprocessing.size', [1024, 1024])
    change('model', network)
    torch.manual_seed(0)
    refit(served, MODELS.build(network).state_dict())
    start = time.monotonic()
    with pytest.raises(ModelFolderError, match='maps of .* numbers'):
        DeployedModel.from_folder(served)
    assert time.monotonic() - start < 10


def test_slices_and_classes_must_be_those_of_the_network(change, served):
    with pytest.raises(ModelFolderError, match='multiples of 16'):
        DeployedModel.from_folder(change('preprocessing.size', [40, 40]))
    change('preprocessing.size', [32, 32])
    network = dict(CONFIG, cls_head=dict(CONFIG['cls_head'], num_classes=4))
    refit(change('model', network), MODELS.build(network).state_dict())
    with pytest.raises(ModelFolderError, match='4 classes, its list 3'):
        DeployedModel.from_folder(served)


@pytest.mark.parametrize(
    'classes',
    [['COVID-19', 'NP', 'CAP'], ['NP', 'CAP', 'COVID-19', 'other'], ['normal', 'CAP', 'COVID-19']],
)
def test_classes_of_another_order_or_name_are_refused(change, classes):
    """Maps would explain another class than they say: they know COVID-19 by its place."""
    with pytest.raises(ModelFolderError, match=r"classes: .* is not one of .*'NP', 'CAP', 'COV"):
        DeployedModel.from_folder(change('classes', classes))


MAP = 'explain/caam/infection_auc_of_true_class_patient_mean'


@pytest.mark.parametrize(
    'part, key, value',
    [
        ('calibration.patients', None, 1),
        ('calibration.patients.mean', None, [1]),
        ('calibration.patients.mean', 'ece_before', {'a': 1}),
        ('calibration.patients.mean', 'ece_after', -1),
        ('calibration.patients.mean', 'ece_after', 2),
        ('validation.scores', None, [1]),
        ('validation.scores', MAP, 1),
        ('validation.scores', MAP, dict(value='high')),
        ('validation.scores', MAP, dict(value=0.7, patients={'a': 1})),
        ('validation.scores', MAP, dict(value=0.7, patients='many')),
        ('validation.scores', MAP, dict(value=0.7, low=0.8, high=0.6)),
    ],
)
def test_what_a_report_reads_of_measurements_is_of_its_kind_and_bounds(change, part, key, value):
    with pytest.raises(ModelFolderError, match=key or part.rpartition('.')[2]):
        DeployedModel.from_folder(change(part, value if key is None else {key: value}))


@pytest.mark.parametrize(
    'part, value',
    [
        ('validation.scores', {MAP: dict(value=0.7, low=None, high=None, patients=3)}),
        ('validation.scores', {MAP: dict(value=0.7)}),
        ('calibration.patients.mean', dict(ece_before=None, ece_after=None)),
    ],
)
def test_measurements_of_few_patients_have_no_interval_and_are_read(change, part, value):
    assert DeployedModel.from_folder(change(part, value))


def test_a_threshold_takes_the_place_of_a_half(change, served):
    assert DeployedModel.from_folder(served).threshold == 0.5
    model = DeployedModel.from_folder(change('threshold', 0.3))
    assert model.threshold == model.identity['threshold'] == 0.3


def test_a_referral_without_a_threshold_refers_nobody(change, served):
    assert DeployedModel.from_folder(change('referral', {'wrong_class': {}})).referral == {
        'wrong_class': None
    }


def test_the_least_area_of_the_infection_is_that_of_the_folder(change, served):
    assert DeployedModel.from_folder(served).min_area == 0
    model = DeployedModel.from_folder(change('min_area', 0.002))
    assert model.min_area == model.identity['min_area'] == 0.002


def refit(folder, weights):
    """Replace the weights of a folder, and their hash."""
    content = weights if isinstance(weights, bytes) else safetensors.torch.save(weights)
    (folder / 'model.safetensors').write_bytes(content)
    path = folder / 'model.json'
    description = json.loads(path.read_text())
    description['weights_sha256'] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(description))


NAME = 'cls_head.classifiers.0.weight'


@pytest.mark.parametrize(
    'spoil, named',
    [
        (lambda w: w[NAME].fill_(float('nan')), 'NaN or infinity'),
        (lambda w: w[NAME][0, 0].fill_(float('inf')), 'NaN or infinity'),
        (lambda w: w[NAME][0, 0].fill_(-float('inf')), 'NaN or infinity'),
        (lambda w: w.pop(NAME), '1 missing in the file'),
        (lambda w: w.update(more=torch.ones(1)), '1 unknown to the network: more'),
        (lambda w: w.update({NAME: w[NAME][:2]}), '1 of another shape'),
        (lambda w: w.update({NAME: w[NAME].int()}), 'int32, here'),
        (lambda w: w.update(renamed=w.pop(NAME)), 'missing in the file'),
        (lambda w: [w.pop(key) for key in [*w]], 'missing in the file'),
    ],
)
def test_weights_that_are_not_those_of_the_network_are_refused(served, model, spoil, named):
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    spoil(weights)
    refit(served, weights)
    with pytest.raises(ModelFolderError, match=named):
        init_model(served)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize('file', ['model.safetensors', 'model.json', 'README.md', 'model.pkl'])
def test_a_pickle_anywhere_in_a_folder_is_never_executed(served, tmp_path, file):
    bomb = Bomb()
    bomb.marker = str(tmp_path / 'executed')
    torch.save({'state_dict': bomb}, tmp_path / 'bomb.pth')
    for content in (pickle.dumps(bomb), (tmp_path / 'bomb.pth').read_bytes()):
        if file == 'model.safetensors':
            refit(served, content)
        else:
            (served / file).write_bytes(content)
        if file in ('model.safetensors', 'model.json'):
            with pytest.raises(ModelFolderError):
                DeployedModel.from_folder(served)
        else:
            DeployedModel.from_folder(served)
    assert not (tmp_path / 'executed').exists()
    pickle.loads(pickle.dumps(bomb))  # so it would have shown
    assert (tmp_path / 'executed').exists()


def test_what_was_published_before_the_list_is_still_read(change):
    """Earlier folders hold our losses and their weights as well."""
    earlier = dict(
        CONFIG,
        cls_head=dict(
            CONFIG['cls_head'],
            in_channels=WIDTHS[2:],
            alphas=[5.0, 5.0, 5.0],
            cam_loss=dict(type='CAMLoss', detach='weights', reduction='mean'),
        ),
        mask_loss=dict(type='WeightedBCELoss', bg_weight=0.5),
        loss_weights=dict(beta=1.0, gamma=5.0, eta=5.0),
    )
    assert read_description(change('model', earlier))['model'] == earlier
    assert not init_model(change('model', earlier)).training
