"""Label efficiency: folds together, choices apart from the report, sites apart, and the curve."""

import json
from dataclasses import replace

import pytest

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.splits.budget import write_budget_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.reproduction import budget_report as module
from xaicovid_mm.reproduction.budget_report import write_budget_report
from xaicovid_mm.reproduction.columns import DICE_INFECTED_SLICE
from xaicovid_mm.reproduction.cost import expected_hours
from xaicovid_mm.reproduction.label_efficiency import budget_scores, parts_of
from xaicovid_mm.reproduction.planning import plan
from xaicovid_mm.reproduction.systems import SYSTEMS
from xaicovid_mm.utils.errors import StoreError

FOLDS = ('fold0', 'fold1')
SCORED = dict(fold0=('p20', 'p22'), fold1=('p21', 'p23'))
"""COVID-19 patients who validate; even numbers are of site0, odd ones of site1."""


@pytest.fixture(scope='module')
def settings(setting, tmp_path_factory):
    """Two folds at two budgets, on a copy of the tiny store that links its files."""
    folder = tmp_path_factory.mktemp('folds')
    root = folder / 'store'
    root.mkdir()
    for path in setting.store.iterdir():
        if path.name != 'splits':
            (root / path.name).symlink_to(path)
    for name, patients in SCORED.items():
        labelled = ['p24', 'p25', 'p04']
        write_split(SliceStore(root), name, dict(labelled=labelled, val=patients))
        write_budget_split(SliceStore(root), name, 2)
    plain = replace(setting, store=root, role='val', root=folder / 'runs')
    return [replace(plain, split=s, budget=b) for b in (2, None) for s in FOLDS]


def rows(split, tp):
    """One slice with infection of each scored patient, and one without."""
    common = dict(fp='0', nsd='', hd95_mm='')
    return [
        dict(
            common, sample_id=f'{p}/{k}', case=p, patient=p, site=f'site{int(p[-1]) % 2}',
            tp=str(tp * k), fn=str((10 - tp) * k),
        )
        for p in SCORED[split]
        for k in (0, 1)
    ]  # fmt: skip


def made_up(**tps):
    """System to seed to rows, for each budget and fold; the oracle lacks the second fold."""
    return {
        (budget, split): {
            name: {
                seed: dict(seg=rows(split, tp + seed + (budget is None)), cls=[]) for seed in (0, 1)
            }
            for name, tp in tps.items()
            if name != 'oracle' or split == 'fold0'
        }
        for budget in (2, None)
        for split in FOLDS
    }


def record_of(records, part, budget):
    return next(r for r in records if (r['part'], r['budget']) == (part, budget))


@pytest.fixture(scope='module')
def records(settings):
    tests = made_up(ours_semi=5, ours_sup=3, oracle=8)
    return budget_scores(settings, tests, ['fold0'])


def test_all_patients_of_all_folds_are_scored_together(records):
    record = record_of(records, 'all folds', 2)
    assert (record['patients'], record['slices'], record['annotated']) == (4, 12, 2)
    score = record['systems']['ours_semi'][DICE_INFECTED_SLICE]
    assert score['seeds'] == (pytest.approx(10 / 15), pytest.approx(12 / 16))
    found = record['differences']['ours_sup'][DICE_INFECTED_SLICE]
    assert found['difference'] == pytest.approx((10 / 15 + 12 / 16 - 6 / 13 - 8 / 14) / 2)
    assert (found['low'], found['patients']) == (None, 4)


def test_all_is_as_many_annotated_slices_as_the_split_has(records):
    assert record_of(records, 'all folds', None)['annotated'] == 6  # p24 and p25, three each


def test_a_system_without_all_folds_of_a_part_is_not_in_it(records):
    assert 'oracle' not in record_of(records, 'all folds', 2)['systems']
    assert 'oracle' in record_of(records, 'folds on which choices were made', 2)['systems']


def test_folds_that_report_stand_apart_from_those_of_choices(settings):
    parts = parts_of(settings, ['fold0'])
    assert {part.title: part.splits for part in parts if part.site is None} == {
        'all folds': FOLDS,
        'folds that report': ('fold1',),
        'folds on which choices were made': ('fold0',),
    }


def test_sites_stand_apart_where_there_are_two(records, settings):
    assert record_of(records, 'site site0', 2)['patients'] == 2
    one_site = [s for s in settings if s.split == 'fold0']
    assert [part.title for part in parts_of(one_site, [])] == ['fold0']


def test_patients_who_are_scored_in_two_splits_are_refused(settings):
    write_split(SliceStore(settings[0].store), 'again', dict(labelled=['p24'], val=['p20']))
    both = [*settings, replace(settings[0], split='again')]
    with pytest.raises(ValueError, match="'p20' is scored in the splits 'fold0' and 'again'"):
        budget_scores(both, {})


def test_the_plan_has_a_run_for_each_budget_and_fold_and_derives_their_splits(settings):
    runs = plan({'ours_sup': SYSTEMS['ours_sup']}, [0, 1], settings)
    assert len(runs) == len({run.folder for run in runs}) == 8
    assert runs[0].setting.variables['XAICOVID_SPLIT'] == 'fold0_budget2'
    assert (settings[0].store / 'splits/fold1_budget2.npy').is_file()
    hours, measured = expected_hours(runs, tflops=0.01)
    assert hours > 0 and not measured


def test_a_budget_beyond_the_slices_is_refused_before_any_training(settings):
    too_many = [replace(settings[0], budget=7)]
    with pytest.raises(StoreError, match='budget of 7 annotated .* have 6 slices with infection'):
        plan({'ours_sup': SYSTEMS['ours_sup']}, [0], too_many)


def test_a_recipe_that_the_scale_does_not_have_is_refused(settings):
    other = [replace(settings[0], recipe='recommended')]
    with pytest.raises(ValueError, match='no recipe .recommended.*--recipe paper'):
        plan({'ours_sup': SYSTEMS['ours_sup']}, [0], other)


def test_the_report_holds_tables_curve_and_the_paper_beside_them(settings, tmp_path, monkeypatch):
    tests = made_up(ours_semi=5, ours_sup=3, oracle=8)
    monkeypatch.setattr(module, 'finished_rows', lambda runs: tests)
    runs = plan({'ours_semi': SYSTEMS['ours_semi']}, [0], settings)
    text = write_budget_report(tmp_path, runs=runs, choices=['fold0']).read_text()
    content = json.loads((tmp_path / 'label_efficiency.json').read_text())
    for heading in ('2 annotated slices', '6 annotated slices (all)', 'site site1'):
        assert heading in text
    score = record_of(content['budgets'], 'all folds', 2)['systems']['ours_semi'][
        DICE_INFECTED_SLICE
    ]
    assert f'{score["mean"]:.3f} (no interval), n = 4' in text
    assert '| 0.855 |' in text  # Table IV of the paper, ours
    assert text.count('XAICOVID_SPLIT=fold0_budget2') == 1 and '0 of 4 runs are done' in text
    assert (tmp_path / 'label_efficiency.png').stat().st_size > 5000


def test_a_report_without_any_run_says_so(settings, tmp_path):
    runs = plan({'ours_sup': SYSTEMS['ours_sup']}, [0], settings)
    text = write_budget_report(tmp_path, runs=runs, choices=[]).read_text()
    assert text.count('No system has all its folds yet.') == 2
    assert not (tmp_path / 'label_efficiency.png').exists()
