"""The bench of planted evidence runs from phantoms to its page, and goes on where it stopped."""

import importlib
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine import Config

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.data_prep.phantom.shortcuts import SHORTCUTS
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter

FOLDER = Path('tools/analysis_tools').resolve()


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return runpy.run_path(str(FOLDER / 'explain_bench.py'))


@pytest.fixture
def part(tool):
    """Import a module of ``explain_bench_utils``, which is found beside the tool."""
    return lambda name: importlib.import_module(f'explain_bench_utils.{name}')


@pytest.fixture
def quick_phantoms(part, tiny_store, monkeypatch):
    """Make stores of the tiny store's slices in the place of phantoms; returns what was asked."""
    asked, source = [], SliceStore(tiny_store)

    def write_phantom(folder, *, shortcut, **_):
        asked.append((folder.name, shortcut))
        lines = [f'{case.name},{case.patient},{CLASSES[case.label]}' for case in source.cases]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'cases.csv').write_text('\n'.join(['case,patient,label', *lines]))
        return folder / 'cases.csv'

    def prepare(table, root, spec, kind):
        asked.append((root.parent.name, root.name, table.name))
        writer = StoreWriter(root, source.size, 'hu', {'kind': kind})
        rows = table.read_text().splitlines()[1:] if table.is_file() else ()
        given = {row.split(',')[0]: CLASSES.index(row.split(',')[2]) for row in rows}
        for case in source.cases:
            rows = range(case.first_row, case.first_row + case.rows)
            image, lung, infection = (
                np.stack([get(row) for row in rows])
                for get in (source.image, source.lung, source.infection)
            )
            mark = np.zeros_like(lung)
            mark[:, 14:18, 22:25] = case.label == 2
            label = given.get(case.name, case.label)
            who = dict(name=case.name, patient=case.patient, site=case.site, label=label)
            cause = mark if table.name == 'shortcuts.csv' else infection
            masks = dict(lung=lung, infection=infection, cause=cause)
            writer.add_case(StoreCase(**who, **masks, image=image))
        writer.close()

    module = part('phantoms')
    monkeypatch.setattr(module, 'write_phantom', write_phantom)
    monkeypatch.setattr(module, 'prepare_volumes', prepare)
    return asked


def test_the_help_names_every_shortcut_that_a_phantom_can_have(tool):
    assert tool['PHANTOMS'] == (tool['NONE'], *SHORTCUTS)


def test_a_tiny_bench_writes_page_pictures_and_figures_and_does_nothing_twice(
    tool, quick_phantoms, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('XAICOVID_STORE', '')
    monkeypatch.setenv('XAICOVID_SPLIT', '')
    small = [
        'model.backbone.widths=(2,2,2,2,2)',
        'train_dataloader.sampler.batches_per_epoch=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
    ]
    argv = [str(tmp_path), '--phantoms', 'site_mark', '--systems', 'paper', '--epochs', '1']
    argv += ['--patients-per-class', '6', '--slices', '1', '--cfg-options', *small]
    monkeypatch.setattr(sys, 'argv', ['explain_bench.py', *argv])
    tool['main'](argv)
    assert quick_phantoms == [
        ('none', None),
        ('none', 'store', 'cases.csv'),
        ('site_mark', 'site_mark'),
        ('site_mark', 'store_shortcut', 'shortcuts.csv'),
        ('site_mark', 'store', 'cases.csv'),
    ]
    result = json.loads((tmp_path / 'bench.json').read_text())['site_mark/paper']
    table = result['table']
    assert result['slices'] == 1
    assert table['the_cause/cause_auc_patient_mean']['value'] == 1
    assert table['the_shortcut/shortcut_auc_patient_mean']['value'] == 1
    assert table['blank/shortcut_auc_patient_mean']['value'] == 0.5
    assert {'caam/road_patient_mean', 'caam/cascade_rank_correlation_patient_mean'} <= table.keys()
    probability = result['covid_probability']
    assert probability['with_shortcut'] == probability['without']  # the images are the same
    page = (tmp_path / 'results' / 'maps.md').read_text()
    assert '## site_mark, paper' in page and 'batches_per_epoch=1' in page
    assert (tmp_path / result['picture']).stat().st_size < 300_000
    work_dir = tmp_path / 'site_mark' / 'paper'
    before = {p: p.stat().st_mtime_ns for p in (*work_dir.glob('*'), *tmp_path.glob('*/*.json'))}
    tool['main'](argv)
    assert {p: p.stat().st_mtime_ns for p in before} == before and len(quick_phantoms) == 5
    with pytest.raises(SystemExit):
        tool['main']([*argv, '--size', '64'])
    assert "made with {'size': 96}, not {'size': 64}" in capsys.readouterr().err


def test_classes_are_dealt_anew_among_all_patients_and_nothing_else_changes(
    part, quick_phantoms, tmp_path
):
    make, shuffle = part('phantoms').make_phantom, part('phantoms').shuffle_classes
    folder = make(tmp_path, 'none', patients=6, size=32, seed=0)
    one, other = (
        SliceStore(folder / 'store'),
        SliceStore(shuffle(folder, size=32, seed=0) / 'store'),
    )
    labels = [{case.patient: case.label for case in store.cases} for store in (one, other)]
    assert labels[0] != labels[1]
    assert sorted(labels[0].values()) == sorted(labels[1].values())
    assert (one.roles('default') == other.roles('default')).all()
    for row in range(len(one.index)):
        assert (one.image(row) == other.image(row)).all()
        assert (one.infection(row) == other.infection(row)).all()


def test_a_shortened_config_keeps_the_shares_of_its_epochs(part):
    shorten = part('training').shorten
    cfg = Config.fromfile('configs/quick/semi_vgg.py')
    shorten(cfg, 5)  # of 20
    assert cfg.train_cfg.max_epochs == 5
    assert cfg.param_scheduler[0].milestones == [3, 4]
    assert cfg.default_hooks.pseudo_label.start_epoch == cfg.default_hooks.cam_loss_start.begin == 2
    assert cfg.default_hooks.checkpoint.interval == 1 and cfg.default_hooks.logger.interval == 10


def test_the_page_says_who_relies_on_the_shortcut_and_which_scores_prefer_it(part, tmp_path):
    def entry(value):
        return dict(value=value)

    table = {
        f'{name}/{score}_patient_mean': entry(value)
        for name, score, value in [
            ('caam', 'cause_auc', 0.8),
            ('caam', 'shortcut_auc', 0.2),
            ('the_cause', 'deletion_auc', 0.5),
            ('the_shortcut', 'deletion_auc', 0.3),
            ('the_cause', 'insertion_auc', 0.5),
            ('the_shortcut', 'insertion_auc', 0.3),
        ]
    }
    result = dict(
        table=table,
        covid_probability=dict(with_shortcut=0.9, without=0.2),
        accuracy_slice=0.75,
        slices=2,
        patients=1,
        picture='images/x.png',
    )
    path = tmp_path / 'maps.md'
    part('page').write_page(path, {'site_mark/paper': result, 'none/paper': result}, 'How.')
    lines = path.read_text().splitlines()
    assert 'Not run for this page: `brightness_shift`, `mass_outside`.' in lines
    assert '| site_mark | paper | 0.75 | 0.90 | 0.20 | yes |' in lines
    assert '| none | paper | 0.75 | 0.90 | 0.20 | n/a |' in lines
    assert '| site_mark | paper | caam | none | caam |' in lines
    preferred = 'shortcut (0.3 to 0.5) | cause (0.3 to 0.5) | n/a | n/a |'
    assert f'| site_mark | paper | {preferred}' in lines
    assert '| caam | 0.8 | 0.2 |' in lines  # no column without a value
    assert not any('relies on its shortcut, so' in line for line in lines)
    assert max(line.count('|') for line in lines) <= 7  # six columns
    assert all(len(line) < 120 for line in lines if not line.startswith('|'))


def test_a_map_of_a_planted_everywhere_shortcut_is_not_said_to_find_it(part, tmp_path):
    found = part('page')._found
    table = {
        'caam/cause_auc_patient_mean': dict(value=0.1),
        'caam/shortcut_auc_patient_mean': dict(value=0.9),
    }
    assert found('site_mark', table, 'caam') == 'shortcut'
    assert found('brightness_shift', table, 'caam') == 'neither'


def test_slices_without_a_shortcut_are_not_explained(part):
    bench = SimpleNamespace(
        store=SimpleNamespace(
            index=np.array(
                [(2, 5), (2, 5), (1, 0), (2, 0)], dtype=[('label', 'i1'), ('infection_px', 'i4')]
            )
        ),
        planted=SimpleNamespace(cause=lambda row: np.array([row == 1])),
        data=SimpleNamespace(rows=np.arange(4)),
    )
    assert part('scoring').Bench.slices(bench, 9).tolist() == [1]
    bench.planted.cause = lambda row: np.array([False])
    bench.store.root = 'here'
    with pytest.raises(ValueError, match='here: no test slice of COVID-19'):
        part('scoring').Bench.slices(bench, 9)
