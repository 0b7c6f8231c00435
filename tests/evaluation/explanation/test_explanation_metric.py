"""The metric of the explanation maps, as an evaluator."""

import copy
import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_model import CONFIG

from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine import CTRunner
from xaicovid_mm.evaluation.explanation.model_hook import ExplanationModelHook
from xaicovid_mm.evaluation.metrics import ExplanationMetric
from xaicovid_mm.registry import HOOKS, METRICS, MODELS

MAPS = dict(caam=dict(type='ActivationExplainer'), seg=dict(type='DecoderExplainer'))
PACK = [dict(type='PackCTInputs')]


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(CONFIG)).eval()


@pytest.fixture(scope='module')
def with_causes(tiny_store, tmp_path_factory):
    """The test patients of the tiny store, with a cause for CAP and COVID-19."""
    root, source = tmp_path_factory.mktemp('causes') / 'store', SliceStore(tiny_store)
    writer = StoreWriter(root, source.size, 'hu', {'kind': 'test'})
    for case in source.cases:
        rows = range(case.first_row, case.first_row + case.rows)
        image, lung = (np.stack([f(r) for r in rows]) for f in (source.image, source.lung))
        cause = lung & (image > -500) if case.label else None
        who = dict(name=case.name, patient=case.patient, site=case.site, label=case.label)
        writer.add_case(StoreCase(**who, image=image, lung=lung, cause=cause))
    writer.close()
    return root


@pytest.fixture(scope='module')
def samples(tiny_store, model):
    dataset = SliceDataset(tiny_store, 'default', ['test'], PACK)
    items = [dataset[i] for i in range(len(dataset))]
    inputs, found = [i['inputs'] for i in items], [i['data_samples'] for i in items]
    with torch.no_grad():
        model.predict(torch.stack(inputs), found)
    return inputs, [sample.to_dict() for sample in found]


def evaluate(model, samples, batch=5, **kwargs):
    metric = ExplanationMetric(**(dict(maps=MAPS) | kwargs))
    metric.model = model
    inputs, found = samples
    for start in range(0, len(found), batch):
        part = slice(start, start + batch)
        metric.process(dict(inputs=inputs[part]), found[part])
    return metric.evaluate(len(found))


def test_every_map_is_scored_beside_maps_that_know_nothing(model, samples, with_causes, tmp_path):
    out = tmp_path / 'explanation.csv'
    found = evaluate(model, samples, store=str(with_causes), out_file=str(out))
    end = '_of_predicted_class_patient_mean'
    assert found[f'explain/blank/cause_auc{end}'] == 0.5
    assert 0 <= found[f'explain/caam/cause_average_precision{end}'] <= 1
    assert f'explain/seg/infection_auc{end}' in found
    assert f'explain/seg/rank_correlation_caam{end}' in found
    assert not any(name.endswith('_slice_mean') for name in found)  # those are in the file
    rows = list(csv.DictReader(out.open(newline='')))
    assert len(rows) == len(samples[1]) * 5
    np_rows = [r for r in rows if r['case'].startswith('p0')]
    assert np_rows and {r['cause_auc_of_predicted_class'] for r in np_rows} == {''}  # n/a
    table = json.loads(out.with_suffix('.json').read_text())
    entry = table[f'seg/cause_auc{end}']
    assert entry['value'] == pytest.approx(found[f'explain/seg/cause_auc{end}'])
    assert entry['patients'] == 2 and entry['slices'] == 7  # CAP and COVID-19


def test_it_chooses_the_same_slices_whatever_the_batches_and_lesions_come_first(model, samples):
    few = [evaluate(model, samples, batch, max_slices=2) for batch in (1, 4, 12)]
    assert few[0] == few[1] == few[2]
    assert 'explain/seg/infection_auc_of_predicted_class_patient_mean' in few[0]


def test_without_masks_localisation_is_left_out_and_a_warning_says_so(model, samples, caplog):
    bare = [{k: v for k, v in s.items() if k != 'infection'} for s in samples[1]]
    found = evaluate(model, (samples[0], bare))
    assert found and not any('auc' in name or 'pointing' in name for name in found)
    assert evaluate(model, (samples[0], bare), parts=('localisation',)).keys() == {
        f'explain/{name}/faulty_slice_share'
        for name in ('caam', 'seg', 'blank', 'intensity', 'random')
    }


def test_the_true_class_is_explained_where_it_is_known(model, samples):
    unknown = [{k: v for k, v in s.items() if k != 'label'} for s in samples[1]]
    assert evaluate(model, (samples[0], unknown), explained='true') == {}
    found = evaluate(model, samples, explained='true')
    assert 'explain/caam/infection_auc_of_true_class_patient_mean' in found


def test_a_store_of_other_cases_is_refused(model, samples, with_causes):
    strange = [s | dict(case='nobody') for s in samples[1]]
    with pytest.raises(ValueError, match="no case 'nobody'"):
        evaluate(model, (samples[0], strange), store=str(with_causes))


def test_without_the_network_it_says_where_to_get_it(samples):
    with pytest.raises(ValueError, match='ExplanationModelHook'):
        evaluate(None, samples)


def test_a_network_without_a_classifier_is_refused(samples):
    network = MODELS.build({k: v for k, v in copy.deepcopy(CONFIG).items() if k != 'cls_head'})
    with pytest.raises(ValueError, match='no cls_head'):
        evaluate(network, samples)


@pytest.mark.parametrize(
    'wrong, text',
    [(dict(explained='mine'), "'mine'"), (dict(max_slices=0), 'max_slices=0')],
)
def test_wrong_settings_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        ExplanationMetric(**(dict(maps=MAPS) | wrong))


def test_the_snippet_of_the_configs_builds_metric_and_hook(monkeypatch, with_causes, model):
    monkeypatch.setenv('XAICOVID_STORE', str(with_causes))
    cfg = Config.fromfile('configs/_base_/datasets/explanation.py')
    metric, hook = METRICS.build(cfg.explanation), HOOKS.build(cfg.explanation_hook)
    assert isinstance(hook, ExplanationModelHook)
    evaluator = SimpleNamespace(metrics=[metric])
    runner = SimpleNamespace(model=model, val_evaluator=evaluator, test_evaluator=evaluator)
    for give in (hook.before_val, hook.before_test):
        metric.model = None
        give(runner)
        assert metric.model is model


def test_a_run_validates_with_it_like_with_any_other_metric(tiny_store, with_causes, tmp_path):
    cfg = dict(
        default_scope='xaicovid_mm',
        work_dir=str(tmp_path),
        model=copy.deepcopy(CONFIG),
        val_dataloader=dict(
            batch_size=5,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='SliceDataset',
                store=str(tiny_store),
                split='default',
                roles=['val'],
                pipeline=PACK,
            ),
        ),
        val_evaluator=[
            dict(type='InfectionMetric'),
            dict(type='ExplanationMetric', maps=MAPS, store=str(with_causes), max_slices=3),
        ],
        val_cfg=dict(type='ValLoop'),
        custom_hooks=[
            dict(type='xaicovid_mm.evaluation.explanation.model_hook.ExplanationModelHook')
        ],
        log_level='WARNING',
        experiment_name='explained',
    )
    found = CTRunner.from_cfg(Config(cfg)).val()
    end = '_of_predicted_class_patient_mean'
    assert 'seg/dice_global' in found and f'explain/caam/cause_auc{end}' in found
    assert found[f'explain/blank/cause_auc{end}'] == 0.5
