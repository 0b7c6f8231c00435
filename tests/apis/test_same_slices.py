"""A model sees the same slices of a scan by way of a store and by way of the inferencer."""

import csv

import nibabel as nib
import numpy as np
import pytest
from skimage.io import imsave

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.data_prep.builders.images import prepare_images
from xaicovid_mm.data_prep.builders.volumes import prepare_volumes
from xaicovid_mm.data_prep.case_table import COLUMNS, SLICE_COLUMNS
from xaicovid_mm.data_prep.io.image_folder import ImageFolderSpec
from xaicovid_mm.data_prep.slicing.slices import SliceSpec
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.datasets.slice_dataset import SliceDataset

AFFINE = np.diag([-2.8, -2.8, 8.0, 1.0])
WINDOW = (-1250.0, 250.0)
SPECS = [
    SliceSpec(32, min_lung_px=20),
    SliceSpec(48, (5.0, 5.0, 5.0), crop_lung=0.05, min_lung_px=20),
    SliceSpec(64, crop_lung=0.2, min_lung_px=60),
]


def save(path, data):
    dtype = np.uint8 if data.dtype == bool else np.int16
    nib.save(nib.Nifti1Image(data.transpose(2, 1, 0).astype(dtype), AFFINE), path)
    return path


def write(path, columns, rows):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def from_store(root):
    """Input of the network (N, H, W), lungs and planes of the only case of a store."""
    store = SliceStore(root)
    write_split(store, 'all', dict(test=[store.cases[0].patient]))
    dataset = SliceDataset(root, 'all', ['test'], [dict(type='PackCTInputs')], reveal=True)
    samples = [dataset[(i, 0)] for i in range(len(dataset))]
    inputs = np.stack([sample['inputs'][0].numpy() for sample in samples])
    lungs = np.stack([sample['data_samples'].lung[0].numpy() for sample in samples])
    return inputs, lungs, store.index['plane']


def from_inferencer(deployed, root, scan, out, lung=None, images=None):
    """The same, of the inferencer of a model that was trained on a store."""
    store, seen = SliceStore(root), {}
    deployed.preprocessing = dict(
        size=list(store.size),
        intensity=store.intensity,
        window=list(WINDOW),
        lung_fill=True,
        prepared=store.manifest['parameters'],
    )

    class Watched(CTInferencer):
        def _slices(self, *args):
            slices, inputs = super()._slices(*args)
            seen.update(inputs=inputs, lungs=slices.lung, planes=slices.planes)
            return slices, inputs

    Watched(deployed, explain=0, images=images)(scan, out, lung)
    return seen['inputs'], seen['lungs'], seen['planes']


def assert_same(stored, seen):
    for ours, theirs in zip(stored, seen, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert stored[0].dtype == seen[0].dtype == np.float32


@pytest.mark.parametrize('given', [True, False], ids=['lungs given', 'by threshold'])
@pytest.mark.parametrize('spec', SPECS, ids=['whole', 'resampled', 'cropped'])
def test_a_volume_gives_the_same_slices_both_ways(chest, deployed, tmp_path, spec, given):
    image = save(tmp_path / 'scan.nii.gz', chest.hu)
    lung = save(tmp_path / 'lung.nii.gz', chest.lung) if given else None
    infection = save(tmp_path / 'infection.nii.gz', np.roll(chest.infection, 3, 2))
    row = dict(case='a', patient='a', image=image, infection=infection, lung=lung or '')
    table = write(tmp_path / 't.csv', COLUMNS, [row | dict(label='COVID-19', site='s')])
    prepare_volumes(table, tmp_path / 'store', spec)
    stored = from_store(tmp_path / 'store')
    assert_same(
        stored, from_inferencer(deployed, tmp_path / 'store', image, tmp_path / 'out', lung)
    )
    assert len(stored[2]) > 10


@pytest.mark.parametrize('clahe', [(), ('s',)], ids=['plain', 'equalised'])
def test_pictures_give_the_same_slices_both_ways(chest, deployed, tmp_path, clahe):
    low, high = WINDOW
    shown = np.rint(255 * ((chest.hu.clip(*WINDOW) - low) / (high - low))).astype(np.uint8)
    (tmp_path / 'pictures').mkdir()
    rows = []
    for z, (picture, mask) in enumerate(zip(shown, chest.lung, strict=True)):
        names = dict(image=f'pictures/{z:03d}.png', lung=f'lung{z:03d}.png')
        imsave(tmp_path / names['image'], picture, check_contrast=False)
        imsave(tmp_path / names['lung'], mask.astype(np.uint8) * 255, check_contrast=False)
        rows.append(names | dict(case='a', patient='a', slice=z, label='NP', site='s'))
    table = write(tmp_path / 't.csv', SLICE_COLUMNS, rows)
    prepare_images(table, tmp_path / 'store', 48, crop_lung=0.05, min_lung_px=60, clahe_sites=clahe)
    lung = save(tmp_path / 'lung.nii.gz', chest.lung)
    images = ImageFolderSpec(WINDOW, (8.0, 2.8, 2.8))
    root, folder = tmp_path / 'store', tmp_path / 'pictures'
    seen = from_inferencer(deployed, root, folder, tmp_path / 'out', lung, images)
    assert_same(from_store(root), seen)
