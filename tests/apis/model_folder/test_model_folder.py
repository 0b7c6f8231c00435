"""A model folder gives back the model it was made of, and runs nothing."""

import json

import onnxruntime
import pytest
import torch
from tiny_model import CONFIG

from xaicovid_mm.apis import init_model
from xaicovid_mm.apis.model_folder.description import onnx_bytes
from xaicovid_mm.apis.model_folder.files import (
    ModelFolderError,
    read_description,
    read_model_folder,
    write_model_folder,
)
from xaicovid_mm.classes import CLASSES
from xaicovid_mm.utils.locks import LOCKS, LockedError, locked


@pytest.fixture
def folder(model, tmp_path):
    description = dict(model=CONFIG, classes=[*CLASSES])
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
    assert read_description(folder)['classes'] == [*CLASSES]
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


def test_a_folder_that_another_process_writes_is_left_to_it(model, tmp_path):
    folder = tmp_path / 'm'
    held = locked(tmp_path / LOCKS / 'm', 'writing m')
    with held, pytest.raises(LockedError, match=f'writing {folder}: process'):
        write_model_folder(folder, model, description=dict(model=CONFIG))
    assert [*tmp_path.iterdir()] == []
    write_model_folder(folder, model, description=dict(model=CONFIG))
    assert [*tmp_path.iterdir()] == [folder]


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


@pytest.mark.parametrize(
    'changes, named',
    [(dict(widths=[2, 3, 4, 4, 5]), 'cannot be built'), (dict(colour='red'), "'colour'")],
)
def test_a_network_that_cannot_be_built_is_refused(folder, changes, named):
    rewrite(folder, model=dict(CONFIG, backbone=CONFIG['backbone'] | changes))
    with pytest.raises(ModelFolderError, match=named):
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


@pytest.mark.slow
def test_onnx_computes_the_same_for_any_number_of_slices(model):
    session = onnxruntime.InferenceSession(onnx_bytes(model, (32, 32)))
    for count in (1, 3):
        images = torch.rand(count, 1, 32, 32)
        outputs = session.run(['class_logits', 'mask_logits'], {'slices': images.numpy()})
        for ours, theirs in zip(model(images), outputs, strict=True):
            torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-5, rtol=1e-5)
