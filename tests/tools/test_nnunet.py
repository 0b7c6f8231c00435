"""The export to nnU-Net: its layout, its folds, and where its slices lie."""

import json
import runpy

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from xaicovid_mm.data_prep.slicing.grid import SliceGrid
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.splits.budget import infected_rows
from xaicovid_mm.data_prep.store.geometry import to_file_grid
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter

TOOL = runpy.run_path('tools/dataset_converters/nnunet.py')


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
