"""The export to nnU-Net: its layout, its folds, and where its slices lie."""

import json
import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import tiny_model
import torch
from mmengine import Config

from xaicovid_mm.data_prep.slicing.grid import SliceGrid
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.splits.budget import infected_rows, write_budget_split
from xaicovid_mm.data_prep.store.geometry import to_file_grid
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine.checkpoint import write_checkpoint
from xaicovid_mm.engine.provenance import provenance
from xaicovid_mm.registry import MODELS, TASK_UTILS
from xaicovid_mm.utils.errors import StoreError
from xaicovid_mm.utils.files import file_sha256

TOOL = runpy.run_path('tools/dataset_converters/nnunet.py')


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """What lies beside the tool is found, as from the command line."""
    monkeypatch.syspath_prepend(str(Path('tools/dataset_converters').resolve()))


@pytest.fixture
def store(tiny_store, tmp_path):
    """The tiny store with two folds; links, since the splits of a budget are written into it."""
    root = tmp_path / 'store'
    root.mkdir()
    for path in tiny_store.iterdir():
        if path.name != 'splits':
            (root / path.name).symlink_to(path)
    store = SliceStore(root)
    for number in range(2):
        labelled = [f'p{k}{n}' for k in (0, 2) for n in (2 + number, 4)]
        write_split(store, f'fold{number}', dict(labelled=labelled, val=[f'p2{number}', 'p00']))
    return store


def exported(store, folder, budget=None):
    TOOL['export'](store, folder, ['fold0', 'fold1'], budget)
    return json.loads((folder / 'splits_final.json').read_text())


def test_folds_name_the_annotated_and_the_healthy_slices_of_a_budget(store, tmp_path):
    folds = exported(store, tmp_path / 'Dataset001_T', budget=3)
    for number, fold in enumerate(folds):
        ill = [name for name in fold['train'] if '_p2' in name]
        assert len(ill) == 3 and len(fold['train']) == 3 + 8  # two healthy patients of 4 slices
        rows = infected_rows(store, f'fold{number}_budget3').tolist()
        assert sorted(int(name[:6]) for name in ill) == rows
        assert {name[7:] for name in fold['val']} == {f'p2{number}', 'p00'}
        assert not set(fold['train']) & set(fold['val'])


def test_every_case_has_an_image_and_a_label_of_one_geometry(store, tmp_path):
    folder = tmp_path / 'Dataset001_T'
    names = {name for fold in exported(store, folder) for part in fold.values() for name in part}
    about = json.loads((folder / 'dataset.json').read_text())
    assert about['numTraining'] == len(names) == len(list((folder / 'imagesTr').iterdir()))
    assert {p.name for p in (folder / 'labelsTr').iterdir()} == {f'{n}.nii.gz' for n in names}
    for name in names:
        image = sitk.ReadImage(str(folder / f'imagesTr/{name}_0000.nii.gz'))
        label = sitk.ReadImage(str(folder / f'labelsTr/{name}.nii.gz'))
        assert image.GetSize() == label.GetSize() == (32, 32, 1)
        assert image.GetOrigin() == label.GetOrigin()
        assert image.GetDirection() == label.GetDirection()
        row = int(name[:6])
        lung, mask = store.lung(row), store.infection(row)
        assert np.allclose(sitk.GetArrayFromImage(image)[0], store.display(row) * lung)
        assert np.array_equal(sitk.GetArrayFromImage(label)[0], mask)


def test_slices_of_a_picture_lie_upright_for_other_programs(store, tmp_path):
    exported(store, tmp_path / 'd')
    path = next((tmp_path / 'd/labelsTr').iterdir())
    assert nib.aff2axcodes(nib.load(path).affine) == ('L', 'P', 'S')
    assert sitk.ReadImage(str(path)).GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_slices_of_a_volume_lie_where_they_lay_in_the_patient(tmp_path):
    """A lesion's centre is the same point of the patient in the export and in the file's grid."""
    affine = np.array([[0, 0, -3.0, 40], [0.8, 0, 0, -90], [0, -0.7, 0, 55], [0, 0, 0, 1]])
    shape = (14, 6, 12)  # of the file: front-back, up-down, left-right
    grid = SliceGrid(scale=(1.0, 1.5, 2.0), offset=(0.0, 0.25, 0.5), shape=(6, 8, 6))
    writer = StoreWriter(tmp_path / 'store', (8, 6), 'hu', {'kind': 'test'})
    infection = np.zeros((3, 8, 6), bool)
    infection[1, 3:5, 2:5] = True
    writer.add_case(
        StoreCase(
            name='c', patient='p', site='s', image=np.arange(144).reshape(3, 8, 6), label=2,
            infection=infection, affine=affine.tolist(), original_shape=shape, grid=grid,
            planes=[1, 3, 4], spacing_mm=(0.7, 1.2, 6.0),
        )
    )  # fmt: skip
    writer.close()
    store = SliceStore(tmp_path / 'store')
    whole = to_file_grid(store, 0, infection.astype(float), order=1)
    voxels = np.argwhere(whole > 0)
    weights = whole[whole > 0]
    centre = affine[:3, :3] @ (weights @ voxels / weights.sum()) + affine[:3, 3]
    own = np.argwhere(infection[1].T[..., None]).mean(0)
    found = TOOL['slice_affine'](store, 1) @ [*own, 1]
    assert np.allclose(found[:3], centre, atol=0.6)


def test_a_folder_with_something_in_it_and_an_unknown_split_are_refused(store, tmp_path, capsys):
    (tmp_path / 'Dataset007_T').mkdir()
    (tmp_path / 'Dataset007_T/x').touch()
    for words in (['--split', 'fold0'], ['--split', 'none', '--name', 'U']):
        with pytest.raises(SystemExit):
            TOOL['main']([str(store.root), str(tmp_path), '--id', '7', '--name', 'T', *words])
    said = capsys.readouterr().err
    assert 'Dataset007_T is not empty' in said and "no split 'none'" in said


LABELER = dict(
    type='PseudoLabeler',
    evidence_from='none',
    saliency=dict(steps=1, rule='right'),
    calibration=dict(type='EvidenceFusion', temperature=0.5),
)
FITTED = dict(weights=[0.2, 0.1, 1.0, 0.0], offset=0.1, epoch=3)


@pytest.fixture
def run(store, tmp_path):
    """A run by a config: writes config and checkpoint, and returns their paths."""

    def of(labeler=LABELER, fitted=FITTED, split='fold0_budget3'):
        write_budget_split(store, 'fold0', 3)
        dataset = dict(type='SliceDataset', store=str(store.root), split=split, window=(-1250, 250))
        hooks = dict(pseudo_label=dict(type='PseudoLabelHook', start_epoch=0, labeler=labeler))
        cfg = Config(
            dict(
                model=tiny_model.CONFIG,
                train_dataloader=dict(dataset=dataset),
                default_hooks=hooks if labeler else {},
                custom_imports=dict(imports=['xaicovid_mm.registry']),
                default_scope='xaicovid_mm',
            )
        )
        torch.manual_seed(0)
        model = MODELS.build(tiny_model.CONFIG)
        checkpoint = dict(
            state_dict=model.state_dict(),
            meta=dict(provenance=provenance(cfg.to_dict())),
            message_hub=dict(runtime_info=dict(evidence_fusion=fitted) if fitted else {}),
        )
        path = tmp_path / 'run' / 'epoch_4.pth'
        path.parent.mkdir(exist_ok=True)
        write_checkpoint(checkpoint, path)
        cfg.dump(tmp_path / 'run' / 'semi.py')
        return str(tmp_path / 'run' / 'semi.py'), str(path)

    return of


def test_unlabelled_slices_get_the_labels_that_the_run_would_teach_and_are_marked(
    store, run, tmp_path
):
    config, checkpoint = run()
    folder = tmp_path / 'd'
    count = TOOL['export'](store, folder, ['fold0'], 3, (config, checkpoint))
    about = json.loads((folder / 'dataset.json').read_text())
    (fold,) = json.loads((folder / 'splits_final.json').read_text())
    said = about['pseudo_labels']
    rows = store.rows('fold0_budget3', 'unlabelled').tolist()
    assert sorted(int(name[:6]) for name in said['cases']) == rows and rows
    assert all(name.endswith('_pseudo') for name in said['cases'])
    assert said['checkpoint_sha256'] == file_sha256(checkpoint) and said['threshold'] == 0.5
    assert set(said['cases']) < set(fold['train']) and not set(said['cases']) & set(fold['val'])
    assert count == about['numTraining'] == len(list((folder / 'labelsTr').iterdir()))
    assert about['labels'] == dict(background=0, infection=1)
    # the labeler of the run, called by hand on one slice
    labeler = TASK_UTILS.build(LABELER)
    labeler.calibration.weights, labeler.calibration.offset = FITTED['weights'], FITTED['offset']
    torch.manual_seed(0)
    model = MODELS.build(tiny_model.CONFIG).eval()
    pack = [dict(type='PackCTInputs')]
    dataset = SliceDataset(store.root, 'fold0_budget3', ['unlabelled'], pack)
    for position in (0, len(dataset) - 1):
        soft = labeler(model, dataset[position]['inputs'][None])[0, 0].numpy()
        name = next(n for n in said['cases'] if int(n[:6]) == dataset.rows[position])
        label = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f'labelsTr/{name}.nii.gz')))[0]
        assert np.array_equal(label, soft > 0.5)


def test_true_masks_of_unlabelled_slices_change_nothing(store, run, tmp_path):
    """Their true infection stays hidden: no label of a pseudo case equals it but by chance."""
    TOOL['export'](store, tmp_path / 'd', ['fold0'], 3, run())
    same = []
    for path in (tmp_path / 'd/labelsTr').glob('*_pseudo.nii.gz'):
        true = store.infection(int(path.name[:6]))
        if true is not None and true.any():
            same.append(np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0], true))
    assert same and not any(same)


def test_pixels_that_the_run_ignores_get_the_label_ignore_inside_the_lungs_alone(
    store, run, tmp_path
):
    model = run(LABELER | dict(confidence=0.9))
    TOOL['export'](store, tmp_path / 'd', ['fold0'], 3, model)
    about = json.loads((tmp_path / 'd/dataset.json').read_text())
    assert about['labels'] == dict(background=0, infection=1, ignore=2)
    name = about['pseudo_labels']['cases'][0]
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f'd/labelsTr/{name}.nii.gz')))[0]
    lung = store.lung(int(name[:6])) > 0
    assert (label[lung] == 2).any() and not (label[~lung] == 2).any()


def test_pseudo_labels_of_the_wrong_run_are_refused(store, run, tmp_path):
    def refused(match, error, splits=('fold0',), **given):
        with pytest.raises(error, match=match):
            TOOL['export'](store, tmp_path / 'd', splits, 3, run(**given))
        assert not (tmp_path / 'd').exists()

    refused('validated in others', StoreError, ['fold0', 'fold1'])
    refused('fold1, not fold0_budget3', ValueError, split='fold1')
    refused('no pseudo labels', ValueError, labeler=None)
    refused('not fitted', ValueError, fitted=None)
