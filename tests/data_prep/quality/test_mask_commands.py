"""What the commands that make stores say of masks."""

import csv
import re

import nibabel as nib
import numpy as np
import pytest
from skimage.io import imsave

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.prepare_data.common import add_mask_values, mask_values
from xaicovid_mm.data_prep.load_case import MASKS
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.store.reader import SliceStore

AFFINE = np.diag([-2.8, -2.8, 8.0, 1])


@pytest.fixture(scope='module')
def chest():
    return make_case(2, SITES[0], [0, 2, 2])


@pytest.fixture
def volumes(tool, chest, tmp_path):
    """Make a store of a chest with an infection mask and a class; returns its case."""

    def make(infection, label, *options):
        for name, data in dict(scan=chest.hu, lung=chest.lung, infection=infection).items():
            kind = np.float32 if data.dtype.kind == 'f' else np.int16
            image = nib.Nifti1Image(data.transpose(2, 1, 0).astype(kind), AFFINE)
            nib.save(image, tmp_path / f'{name}.nii.gz')
        row = dict(case='a', patient='p', image='scan.nii.gz', infection='infection.nii.gz')
        row |= dict(lung='lung.nii.gz', label=label, site='s')
        table = write(tmp_path / 't.csv', [row])
        tool(['volumes', str(table), str(tmp_path / 'store'), '--size', '32', *options])
        return SliceStore(tmp_path / 'store').cases[0]

    return make


@pytest.fixture
def images(tool, tmp_path):
    """Make a store of three slices with masks of one kind; returns it."""

    def make(mask, label, *options, suffix='png'):
        rows = []
        for number in range(3):
            grey = np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)
            lung = np.full((64, 64), 255, np.uint8)
            for name, array in dict(image=grey, lung=lung, infection=mask).items():
                kind = suffix if name == 'infection' else 'png'
                imsave(tmp_path / f'{name}{number}.{kind}', array, check_contrast=False)
            files = {name: f'{name}{number}.png' for name in ('image', 'lung')}
            files['infection'] = f'infection{number}.{suffix}'
            rows.append(dict(case='a', patient='p', slice=number, label=label, site='s') | files)
        table = write(tmp_path / 't.csv', rows)
        tool(['images', str(table), str(tmp_path / 'store'), '--size', '64', *options])
        return SliceStore(tmp_path / 'store')

    return make


def write(path, rows):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def refused(make, *args, **kwargs):
    with pytest.raises(SystemExit) as stop:
        make(*args, **kwargs)
    assert stop.value.code == 2


def shown(capsys):
    return ' '.join(capsys.readouterr().out.split())


def pixels(folder):
    return int(SliceStore(folder / 'store').index['infection_px'].sum())


def label_map(chest):
    """The lungs as 1, and the infection in them as 3."""
    return np.where(chest.infection, 3, chest.lung)


def test_a_label_map_is_no_infection_mask_until_its_value_is_named(
    volumes, chest, tmp_path, capsys
):
    refused(volumes, label_map(chest), 'COVID-19')
    assert 'values 0, 1, 3, a label map' in (said := capsys.readouterr().err)
    assert '--infection-values' in said
    volumes(label_map(chest), 'COVID-19', '--infection-values', '3')
    named = pixels(tmp_path)
    volumes(chest.infection, 'COVID-19')
    assert named == pixels(tmp_path) > 0


def test_the_values_of_every_mask_of_a_table_can_be_named():
    parser = CommandParser()
    add_mask_values(parser)
    options = [word for column in MASKS for word in (f'--{column}-values', '2', '-1')]
    assert mask_values(parser.parse_args(options)) == dict.fromkeys(MASKS, (2, -1))


def test_a_store_is_made_again_when_other_values_count(volumes, chest, tmp_path):
    volumes(label_map(chest), 'COVID-19', '--infection-values', '3')
    fewer = pixels(tmp_path)
    volumes(label_map(chest), 'COVID-19', '--infection-values', '1', '3')
    assert fewer < pixels(tmp_path)


def test_probabilities_are_no_mask(volumes, chest, capsys):
    refused(volumes, chest.infection * 0.8, 'COVID-19')
    said = capsys.readouterr().err
    assert 'probabilities' in said and re.search(r'infection\S*\.nii(\.gz)?: infection has', said)


def test_a_healthy_case_with_lesions_is_told_when_the_store_is_made(volumes, chest, capsys):
    volumes(chest.infection, 'NP')
    assert 'warning: case a: infection has' in (said := shown(capsys))
    assert 'in a case of class NP, which has none' in said


def test_an_ill_case_without_lesions_is_told_when_the_store_is_made(volumes, chest, capsys):
    volumes(chest.infection & False, 'COVID-19')
    assert 'case a: infection has no voxel in a case of class COVID-19' in shown(capsys)


def disc(radius):
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    return np.uint8(255 * (x**2 + y**2 < radius**2))


def test_a_mask_of_black_and_white_keeps_its_pixels(images):
    store = images(disc(0.4), 'COVID-19')
    assert int(store.index['infection_px'][0]) == (disc(0.4) > 0).sum()


def test_a_mask_with_the_noise_of_jpeg_is_refused_with_the_case(images, capsys):
    refused(images, disc(0.4), 'COVID-19', suffix='jpg')
    said = capsys.readouterr().err
    assert "case 'a': infection has values from 0 to 25" in said and 'JPEG' in said


def test_an_image_that_is_a_label_map_needs_its_values(images, capsys):
    labels = np.uint8(disc(0.8) > 0) + (disc(0.4) > 0)
    refused(images, labels, 'COVID-19')
    assert 'values 0, 1, 2, a label map' in capsys.readouterr().err
    store = images(labels, 'COVID-19', '--infection-values', '2')
    assert int(store.index['infection_px'][0]) == (disc(0.4) > 0).sum()


@pytest.mark.parametrize(
    'mask, label, said',
    [(disc(0.4), 'NP', 'of class NP, which has none'), (disc(0), 'COVID-19', 'no voxel in a case')],
)
def test_slices_that_belie_their_class_are_told_when_the_store_is_made(
    images, capsys, mask, label, said
):
    images(mask, label)
    assert said in shown(capsys)
