"""The converter of data for the lung model, and the scores of lung masks."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from commands import run
from mmengine import Config
from skimage.io import imread, imsave

from xaicovid_mm.data_prep.builders.images import prepare_images
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.engine.checkpoint import write_checkpoint
from xaicovid_mm.registry import MODELS

SIDE = 64


def chest(slices):
    hu = np.full((slices, SIDE, SIDE), -1000, np.int16)
    hu[:, 4:60, 4:60] = 40
    hu[:, 16:48, 10:28] = hu[:, 16:48, 36:54] = -850
    return hu


def shown(hu):
    return np.rint((hu.clip(-1350, 150) + 1350) / 1500 * 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """The layout of the benchmark's folder, with 36 NP patients of one slice."""
    names = [f'kaggle_finding_lungs,ID_{n:04d},ID_{n:04d}_Z_0007' for n in range(36)]
    names += [f'ma20_clahe,coronacases_00{n},coronacases_00{n}_0003' for n in (1, 6)]
    names += [f'luna_normal,normal_patient_1,normal_patient_1_z_{n:03d}' for n in (25, 29)]
    lines = ['file,source,class,patient,infection_mask,lung_mask']
    for source, patient, name in (line.split(',') for line in names):
        (tmp_path / 'ct_dev' / source).mkdir(parents=True, exist_ok=True)
        hu = chest(1)[0]
        imsave(tmp_path / f'ct_dev/{source}/{name}.png', shown(hu), check_contrast=False)
        mask = f'{source}/{name}_lung.png' if source != 'luna_normal' else ''
        if mask:
            lung = (hu == -850).astype(np.uint8)
            imsave(tmp_path / 'ct_dev' / mask, lung * 255, check_contrast=False)
        lines.append(f'{source}/{name}.png,{source},NP,{patient},,{mask}')
    (tmp_path / 'ct_dev/manifest.csv').write_text('\n'.join(lines))
    (tmp_path / 'volumes_hu').mkdir()
    affine = np.diag([-5.0, -5, 5, 1])
    scan = nib.Nifti1Image(chest(6).transpose(2, 1, 0), affine)
    nib.save(scan, tmp_path / 'volumes_hu/normal001.nii.gz')
    return tmp_path


@pytest.fixture
def lungs(folder, monkeypatch):
    monkeypatch.syspath_prepend('tools/dataset_converters')
    run('dataset_converters/lung_slices', folder, folder / 'out')
    return folder / 'out'


def test_held_out_patients_are_of_both_sets_and_train_nowhere(lungs):
    split = json.loads((lungs / 'split.json').read_text())
    assert not set(split['labelled']) & set(split['val'])
    assert 'coronacases_006' in split['val'] and 'coronacases_001' in split['labelled']
    assert sum(name.startswith('ID_') for name in split['val']) == 34
    assert {'normal001', 'normal_patient_1'} <= set(split['labelled'])


def test_every_row_has_a_mask_and_scans_give_every_second_slice(lungs):
    with open(lungs / 'slices.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert all(row['lung'] and not row['infection'] for row in rows)
    its = [row for row in rows if row['case'] == 'normal001']
    assert [row['slice'] for row in its] == ['0000', '0002', '0004']
    image, mask = imread(lungs / its[0]['image']), imread(lungs / its[0]['lung']) > 0
    np.testing.assert_array_equal(image, shown(chest(1)[0]))
    assert (mask == (chest(1)[0] == -850)).mean() > 0.99


def test_the_store_trains_the_lung_model_and_the_threshold_is_judged_on_it(lungs, capsys):
    prepare_images(lungs / 'slices.csv', lungs / 'store', 64, min_lung_px=0)
    store = SliceStore(lungs / 'store')
    write_split(store, 'lungs', json.loads((lungs / 'split.json').read_text()))
    where = '--split lungs --role val --site kaggle_finding_lungs --window -1350 150 --mm 5'
    run('analysis_tools/lung_dice', 'slices', lungs / 'store', *where.split())
    printed = capsys.readouterr().out
    assert all(text in printed for text in ('kaggle_finding_lungs', '34', '1.000'))


@pytest.fixture
def small_model(tmp_path):
    """Config and weights of an untrained lung model."""
    torch.manual_seed(0)
    config = f"""_base_ = '{Path.cwd()}/configs/lung/phantom.py'
widths = (2, 2, 2, 2, 2)
model = dict(size=32, backbone=dict(widths=widths))
"""
    (tmp_path / 'small.py').write_text(config)
    model = MODELS.build(Config.fromfile(tmp_path / 'small.py').model)
    write_checkpoint(dict(state_dict=model.state_dict()), tmp_path / 'small.pth')
    return '--config', tmp_path / 'small.py', '--checkpoint', tmp_path / 'small.pth'


def test_three_methods_are_scored_in_one_pass_and_volumes_given_without_a_mask(
    tmp_path, small_model, capsys
):
    hu = np.full((10, SIDE, SIDE), -1000, np.int16)
    hu[:, 4:60, 4:60] = 40
    hu[2:8, 16:48, 10:28] = hu[2:8, 16:44, 36:54] = -850
    for name, array in (('a', hu), ('lung', (hu == -850).astype(np.uint8))):
        image = nib.Nifti1Image(array.transpose(2, 1, 0), np.diag([-5.0, -5, 5, 1]))
        nib.save(image, tmp_path / f'{name}.nii.gz')
    header = 'case,patient,image,infection,lung,label,site'
    rows = 'a,a,a.nii.gz,,lung.nii.gz,NP,s', 'b,b,a.nii.gz,,,,'
    (tmp_path / 'cases.csv').write_text('\n'.join((header, *rows)))
    where = [tmp_path / 'cases.csv', *small_model, '--keeps', 'lung']
    run('analysis_tools/lung_dice', 'methods', *where)
    lines = [
        [cell.strip() for cell in line.strip('│ ').split('│')]
        for line in capsys.readouterr().out.splitlines()
    ]
    cells = {line[0]: line[1:] for line in lines if line[0].startswith('NP, ')}
    assert set(cells) == {'NP, threshold', 'NP, model', 'NP, hybrid'}
    assert cells['NP, threshold'] == ['1', '1.000', 'n/a', '1.000', '1.000', '1.000']
    volumes = {line[1]: line[2:] for line in lines if line[0] == 'b'}
    right, left = (6 * 32 * 18 * 0.125, 6 * 28 * 18 * 0.125)
    wanted = [f'{value:.0f}' for value in (right + left, right, left)]
    assert volumes['threshold'] == [*wanted, '1.000']
    assert float(volumes['hybrid'][-1]) <= 1


def test_dice_and_what_is_kept_of_lesions_by_hand(tmp_path, capsys):
    boxes = dict(true=slice(0, 4), found=slice(2, 6), lesion=slice(1, 3))
    for name, rows in boxes.items():
        mask = np.zeros((8, 8, 4), np.uint8)
        mask[:, rows] = 1
        nib.save(nib.Nifti1Image(mask, np.diag([-1.0, -1, 1, 1])), tmp_path / f'{name}_a.nii.gz')
    for name in ('true', 'found'):
        header = 'case,patient,image,infection,lung,label,site,cause'
        row = f'a,a,,,{name}_a.nii.gz,CAP,s,lesion_a.nii.gz'
        (tmp_path / f'{name}.csv').write_text(f'{header}\n{row}\n')
    tables = tmp_path / 'true.csv', tmp_path / 'found.csv'
    run('analysis_tools/lung_dice', 'volumes', *tables, '--keeps', 'cause')
    row = next(line for line in capsys.readouterr().out.splitlines() if 'CAP' in line)
    cells = [cell.strip() for cell in row.strip('│ ').split('│')]
    assert cells == ['CAP', '1', '0.500', 'n/a', '0.500', '0.500', '0.500']
    with pytest.raises(SystemExit):
        run('analysis_tools/lung_dice', 'volumes', *tables, '--keeps', 'lesions')
    assert "no column 'lesions'" in capsys.readouterr().err
