"""A small model, ready for scans, and a scan for it."""

import nibabel as nib
import numpy as np
import torch
from mmengine.registry import init_default_scope
from tiny_model import CONFIG

from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
from xaicovid_mm.explain import FusedActivation, Saliency
from xaicovid_mm.registry import MODELS


def tiny_network():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    return MODELS.build(CONFIG).eval()


def tiny_model(network):
    prepared = dict(kind='volumes', size=32, spacing_mm=None, crop_lung=0.05, min_lung_px=20)
    made = dict(
        size=[32, 32], intensity='hu', window=[-1250, 250], lung_fill=True, prepared=prepared
    )
    return DeployedModel(
        model=network,
        classes=['NP', 'CAP', 'COVID-19'],
        preprocessing=made,
        temperature=2.0,
        aggregation='mean',
        activation=FusedActivation(),
        saliency=Saliency(1),
        provenance=dict(file='m/model.safetensors', calibrated=True),
    )


def write_scan(chest, folder):
    """A chest as a file that lies on its side: axes to the head, the left and the front."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2] = 8.0, -2.8, 2.8
    affine[:, 3] = 12, -30, 5, 1
    image = nib.Nifti1Image(chest.hu.transpose(0, 2, 1)[:, :, ::-1], affine)
    image.header['descrip'] = b'Planted^Name 1970-01-01'
    nib.save(image, folder / 'scan.nii.gz')
    return folder / 'scan.nii.gz'
