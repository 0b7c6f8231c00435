import nibabel as nib
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from planted_scan import write_planted_series
from tiny_model import CONFIG

from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.explain import FusedActivation, Saliency
from xaicovid_mm.registry import MODELS


@pytest.fixture
def model():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    return MODELS.build(CONFIG).eval()


@pytest.fixture
def deployed(model):
    prepared = dict(kind='volumes', size=32, spacing_mm=None, crop_lung=0.05, min_lung_px=20)
    made = dict(
        size=[32, 32], intensity='hu', window=[-1250, 250], lung_fill=True, prepared=prepared
    )
    return DeployedModel(
        model=model,
        classes=['NP', 'CAP', 'COVID-19'],
        preprocessing=made,
        temperature=2.0,
        aggregation='mean',
        activation=FusedActivation(),
        saliency=Saliency(1),
        provenance=dict(file='m/model.safetensors', calibrated=True),
    )


@pytest.fixture(scope='session')
def chest():
    return make_case(2, SITES[0], [3])


@pytest.fixture
def scan(chest, tmp_path):
    """A chest as a file that lies on its side: axes to the head, the left and the front."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2] = 8.0, -2.8, 2.8
    affine[:, 3] = 12, -30, 5, 1
    image = nib.Nifti1Image(chest.hu.transpose(0, 2, 1)[:, :, ::-1], affine)
    image.header['descrip'] = b'Planted^Name 1970-01-01'
    nib.save(image, tmp_path / 'scan.nii.gz')
    return tmp_path / 'scan.nii.gz'


@pytest.fixture
def dicom_scan(chest, tmp_path):
    """The chest as a DICOM series whose headers and files name a patient."""
    folder = tmp_path / 'Planted_Name_19330303'
    folder.mkdir()
    write_planted_series(folder, chest.hu, chest.spacing)
    return folder
