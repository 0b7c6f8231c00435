"""Methods that find lungs in scans."""

import runpy
import sys
import types

import nibabel as nib
import numpy as np
import pytest
import torch

from xaicovid_mm.apis import LungExtractor, init_model, lung_method
from xaicovid_mm.apis.lungs.extractor import HybridLungs
from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.engine.checkpoint import write_checkpoint

SPACING = (5.0, 2.0, 2.0)
CONFIG = 'configs/lung/unet.py'


class Dark(torch.nn.Module):
    """Takes for lung what is dark, and remembers what it was shown."""

    def __init__(self, size=32, window=(-1350, 150)):
        super().__init__()
        self.size, self.window, self.shown = size, window, []
        self.weight = torch.nn.Parameter(torch.tensor(20.0))

    def forward(self, images):
        self.shown.append(images)
        return self.weight * (0.6 - images)


@pytest.fixture
def scan():
    """40 slices of 64 x 96 with two lungs, in a body that fills the field of view."""
    hu = np.full((40, 64, 96), 40, np.int16)
    hu[:, 16:48, 12:40] = hu[:, 16:48, 56:84] = -850
    return hu


def test_lungs_come_back_at_the_size_of_the_scan(scan):
    found = LungExtractor(Dark())(scan, SPACING)
    true = scan == -850
    assert found.shape == scan.shape and found.dtype == bool
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.97


def test_the_model_sees_its_own_size_and_window(scan):
    model = Dark()
    LungExtractor(model)(scan, SPACING)
    shown = torch.cat(model.shown)
    assert shown.shape == (40, 1, 32, 32) and shown.dtype == torch.float32
    assert shown[20, 0, 16, 8] == pytest.approx((-850 + 1350) / 1500)
    assert shown[0].max() == pytest.approx((40 + 1350) / 1500)


def test_display_values_are_taken_over_255(scan):
    model = Dark()
    shown = np.where(scan == -850, 51, 204).astype(np.uint8)
    found = LungExtractor(model, 'display')(shown, SPACING)
    assert torch.cat(model.shown).max() == pytest.approx(0.8)
    assert (found == (scan == -850)).mean() > 0.98


def test_crumbs_are_dropped_and_vessels_filled(scan):
    scan[30:32, 56:60, 44:52] = -850
    scan[:, 28:36, 20:28] = 40
    found = LungExtractor(Dark())(scan, SPACING)
    assert not found[:, 54:].any() and found[20, 32, 24]


def test_a_model_at_hand_makes_a_hybrid(tmp_path):
    weights = tmp_path / 'w.pth'
    write_checkpoint(dict(state_dict=init_model(CONFIG).state_dict()), weights)
    names = {
        kind: lung_method(config=CONFIG, checkpoint=weights, intensity=kind).name
        for kind in ('hu', 'display')
    }
    assert names == dict(hu='hybrid', display='model') and lung_method().name == 'threshold'


def test_a_hybrid_has_the_outline_of_the_threshold_and_the_dense_parts_of_the_network(scan):
    scan = np.pad(scan, ((0, 0), (8, 8), (8, 8)), constant_values=-1000)
    lung = scan == -850
    scan[:, 40:56, 22:48] = -100  # dense disease at the pleura
    truth = lung.copy()

    def network(hu, spacing_mm):
        return np.roll(truth, 1, 1)  # knows the disease; its outline is off by a pixel

    found = HybridLungs(network)(scan, SPACING)
    assert lung_mask(scan, SPACING)[:, 46:54, 24:46].mean() < 0.1
    assert found[:, 46:54, 24:46].all()
    np.testing.assert_array_equal(found[:, :36], lung_mask(scan, SPACING)[:, :36])


def test_the_threshold_is_the_default_and_needs_nothing(scan):
    method = lung_method('threshold')
    np.testing.assert_array_equal(method.find(scan, SPACING), lung_mask(scan, SPACING))


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(name='magic'), "method 'magic' does not exist"),
        (dict(name='model', checkpoint='w.pth'), 'needs config and checkpoint of a lung model'),
        (dict(name='hybrid', config=CONFIG), 'needs config and checkpoint of a lung model'),
        (dict(config=CONFIG), "'hybrid' needs config and checkpoint"),
        (dict(checkpoint='w.pth'), 'takes no model, and w.pth was given'),
        (dict(name='threshold', config=CONFIG), 'takes no model'),
        (
            dict(name='lungmask'),
            "'lungmask' needs its weights, .*give them with --lung-checkpoint",
        ),
        (dict(name='hybrid', intensity='display'), "take 'model' for display values"),
        (dict(name='threshold', intensity='display'), "take 'model' for display values"),
        (dict(name='model', config=CONFIG, checkpoint='no.pth'), r"\['no.pth'\] not found"),
    ],
)
def test_what_a_method_lacks_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        lung_method(**settings)


def fake_lungmask(monkeypatch):
    module = types.ModuleType('lungmask')

    class LMInferer:
        def __init__(self, modelpath, tqdm_disable):
            self.modelpath = modelpath

        def apply(self, image):
            return np.where(image < -320, 2, 0).astype(np.uint8)  # 1 right, 2 left

    module.LMInferer = LMInferer
    monkeypatch.setitem(sys.modules, 'lungmask', module)


def test_lungmask_is_used_where_installed(monkeypatch, tmp_path, scan):
    fake_lungmask(monkeypatch)
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'r231.pth')
    method = lung_method('lungmask', checkpoint=tmp_path / 'r231.pth')
    np.testing.assert_array_equal(method.find(scan, SPACING), scan == -850)
    assert len(method.sha256) == 1


def test_weights_of_lungmask_that_could_run_code_are_refused(monkeypatch, tmp_path):
    fake_lungmask(monkeypatch)
    torch.save({'weight': print}, tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='holds no plain weights'):
        lung_method('lungmask', checkpoint=tmp_path / 'evil.pth')


def test_lungmask_that_is_not_installed_is_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'lungmask', None)
    (tmp_path / 'r231.pth').touch()
    with pytest.raises(ValueError, match='pip install'):
        lung_method('lungmask', checkpoint=tmp_path / 'r231.pth')


def test_a_config_of_another_model_is_refused(tmp_path):
    config = 'configs/quick/supervised_vgg.py'
    state = init_model(config).state_dict()
    write_checkpoint(dict(state_dict=state), tmp_path / 'w.pth')
    with pytest.raises(ValueError, match='is a MultiTaskModel, not a lung model'):
        lung_method('model', config=config, checkpoint=tmp_path / 'w.pth')


def test_the_command_writes_masks_and_names_what_it_flags(scan, tmp_path, capsys):
    scan = np.pad(scan, ((0, 0), (8, 8), (8, 8)), constant_values=-1000)
    sick = np.where((scan == -850) & (np.arange(112) > 56), 30, scan).astype(np.int16)
    lines = ['case,patient,image,infection,lung,label,site']
    for name, hu in (('fine', scan), ('sick', sick)):
        affine = np.diag([-2.0, -2, 5, 1])
        nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0), affine), tmp_path / f'{name}.nii.gz')
        lines.append(f'{name},{name},{name}.nii.gz,,,NP,s')
    (tmp_path / 'cases.csv').write_text('\n'.join(lines))

    main = runpy.run_path('tools/prepare_data.py')['main']
    main(['lungs', str(tmp_path / 'cases.csv'), str(tmp_path / 'out')])

    printed = capsys.readouterr().out
    assert 'flagged: sick: one lung: the left one' in printed and '1 case in' in printed
    mask = read_volume(tmp_path / 'out/masks/fine.nii.gz').data > 0
    assert (mask == (scan == -850)).mean() > 0.99
