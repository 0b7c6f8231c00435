"""A model folder gives back the model it was made of, and runs nothing."""

import json

import onnxruntime
import pytest
import torch
from tiny_model import CONFIG

from xaicovid_mm.apis import init_model
from xaicovid_mm.apis.model_folder.allowed_components import check_components
from xaicovid_mm.apis.model_folder.description import onnx_bytes
from xaicovid_mm.apis.model_folder.files import (
    ModelFolderError,
    read_description,
    read_model_folder,
    write_model_folder,
)


@pytest.fixture
def folder(model, tmp_path):
    description = dict(model=CONFIG, classes=['NP'])
    write_model_folder(tmp_path / 'm', model, description=description, extras={'a.txt': b'a'})
    return tmp_path / 'm'


def rewrite(folder, **changes):
    path = folder / 'model.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_gives_the_model_back(model, folder):
    images = torch.rand(2, 1, 32, 32)
    for again in (read_model_folder(folder)[0], init_model(folder)):
        assert not again.training
        assert all(torch.equal(a, b) for a, b in zip(again(images), model(images), strict=True))
    assert read_description(folder)['classes'] == ['NP']
    assert (folder / 'a.txt').read_bytes() == b'a'


def test_a_folder_that_is_there_is_not_replaced_and_nothing_partial_is_left(model, folder):
    with pytest.raises(FileExistsError, match='another folder'):
        write_model_folder(folder, model, description=dict(model=CONFIG))
    with pytest.raises(ValueError, match='JSON'):
        write_model_folder(
            folder.with_name('n'), model, description=dict(model=CONFIG, x=float('nan'))
        )
    with pytest.raises(FileNotFoundError):
        write_model_folder(
            folder.with_name('n'),
            model,
            description=dict(model=CONFIG),
            extras={'no/such/dir': b''},
        )
    assert [path.name for path in folder.parent.iterdir()] == ['m']


def test_weights_of_another_description_are_refused(folder):
    weights = folder / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1] + b'\x7f')
    with pytest.raises(ModelFolderError, match='copy it again'):
        read_model_folder(folder)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match='model.safetensors'):
        read_model_folder(folder)


def test_weights_that_do_not_fit_are_refused(folder):
    deep = dict(CONFIG, backbone=dict(CONFIG['backbone'], depths=[3, 3, 3, 3, 3]))
    rewrite(folder, model=deep)
    with pytest.raises(ModelFolderError, match='does not fit'):
        read_model_folder(folder)


@pytest.mark.parametrize('changes', [dict(widths=[2, 3, 4, 4, 5]), dict(colour='red')])
def test_a_network_that_cannot_be_built_is_refused(folder, changes):
    rewrite(folder, model=dict(CONFIG, backbone=CONFIG['backbone'] | changes))
    with pytest.raises(ModelFolderError, match='cannot be built'):
        read_model_folder(folder)


@pytest.mark.parametrize(
    'changes, named', [(dict(version=2), 'version 2'), (dict(format='other'), "'other'")]
)
def test_another_version_is_refused(folder, changes, named):
    rewrite(folder, **changes)
    with pytest.raises(ModelFolderError, match=named):
        read_description(folder)


def test_what_is_no_description_is_refused(folder, tmp_path):
    (folder / 'model.json').write_text('[1]')
    with pytest.raises(ModelFolderError, match='no description'):
        read_description(folder)
    with pytest.raises(FileNotFoundError, match='xaicovid publish'):
        read_description(tmp_path)


def test_a_folder_and_a_checkpoint_are_too_much(folder):
    with pytest.raises(ValueError, match='its own weights'):
        init_model(folder, 'epoch_1.pth')


@pytest.mark.parametrize(
    'config',
    [
        dict(type='os.system', command='touch {marker}'),
        dict(CONFIG, backbone=dict(type='os.system', command='touch {marker}')),
        dict(CONFIG, mask_loss=[dict(type='subprocess.run', args=['touch', '{marker}'])]),
        dict(type='mmpretrain.ResNet', norm_cfg=dict(type='os.system')),
        dict(type='mmengine.Runner'),
        dict(type='mmpretrain.init_model'),
        dict(type=7),
        dict(type='mmpretrain.ResNet', init_cfg=dict(type='Pretrained', checkpoint='http://x')),
        dict(type='mmpretrain.TIMMBackbone', model_name='hf_hub:somebody/something'),
        dict(type='ResNet', _scope_='os'),
    ],
)
def test_a_description_that_would_run_or_fetch_something_is_refused(config, folder, tmp_path):
    marker = tmp_path / 'marker'
    text = (folder / 'model.json').read_text()
    model = json.dumps(config).replace('{marker}', str(marker))
    (folder / 'model.json').write_text(json.dumps(json.loads(text) | {'model': json.loads(model)}))
    with pytest.raises(ModelFolderError, match=r'model\S*='):
        init_model(folder)
    assert not marker.exists()


def test_parts_of_other_libraries_are_allowed():
    check_components(
        dict(
            type='MultiTaskModel',
            backbone=dict(type='mmpretrain.ResNet', depth=18, norm_cfg=dict(type='BN')),
            decode_head=dict(type='FCNHead', _scope_='mmseg', norm_cfg=dict(type='SyncBN')),
        )
    )


@pytest.mark.slow
def test_onnx_computes_the_same_for_any_number_of_slices(model):
    session = onnxruntime.InferenceSession(onnx_bytes(model, (32, 32)))
    for count in (1, 3):
        images = torch.rand(count, 1, 32, 32)
        outputs = session.run(['class_logits', 'mask_logits'], {'slices': images.numpy()})
        for ours, theirs in zip(model(images), outputs, strict=True):
            torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-5, rtol=1e-5)
