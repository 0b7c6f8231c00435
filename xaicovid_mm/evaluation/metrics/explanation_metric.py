"""The metric of the explanation maps."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from ...data_prep.store.reader import SliceStore
from ...explain.activation_maps import inside_lungs
from ...explain.explainers import lacking_maps
from ...registry import METRICS, TASK_UTILS
from ...utils.files import write_text
from ...utils.model import eval_mode
from ..explanation.scorer import ExplanationScorer
from ..explanation.summary import IDS, explanation_score, explanation_table, score_names
from .slice_records import slice_ids, write_records

EXPLAINED = ('predicted', 'true')
TARGETS = ('infection', 'cause')
"""What maps may lie on."""


@METRICS.register_module()
class ExplanationMetric(BaseMetric):
    """Score explanation maps of some slices, inside the lungs. Not in the paper.

    It gives ``explain/<map>/<score>_of_<explained>_class_patient_mean``. The maps 'blank',
    'intensity' and 'random', which know nothing of the network, are scored besides: a score says
    something only next to theirs. See ``ExplanationScorer`` for the scores. A map that the network
    cannot give is left out, and a warning says why.

    The same ``max_slices`` slices are explained each time, drawn by the hash of their name, those
    with infection or cause first. A score that no slice has is left out: localisation without
    masks, for example.

    Args:
        maps: Config of an explainer by the name of its map.
        store: Folder of the slice store, from which the causes are read; None: no causes.
        parts: What is scored, of ``PARTS``. On 40 slices of 96 px the first two take seconds on a
            CPU core, the others a minute or more, see docs/how-to/explain.md.
        explained: The class that is explained: the one that the network predicts, or the true one.
        max_slices: How many slices are explained.
        batch_size: Slices at a time.
        seed: Of all that is drawn.
        out_file: CSV file for the scores of every slice and map; the averages with their intervals
            go to a JSON file of that name beside it. Default: none is written.
        kwargs: Arguments of mmengine's BaseMetric.

    Attributes:
        model: The network, from ``ExplanationModelHook``.

    Raises:
        ValueError: For a number below 1, another ``explained``, or see ``ExplanationScorer``.
        StoreError: If there is no such store.
    """

    default_prefix = 'explain'
    model: Any = None
    results: list[dict]

    def __init__(
        self,
        maps: dict[str, dict],
        store: str | None = None,
        parts: Sequence[str] = ('localisation', 'agreement'),
        explained: str = 'predicted',
        max_slices: int = 40,
        batch_size: int = 8,
        seed: int = 0,
        out_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if explained not in EXPLAINED:
            raise ValueError(f'explained={explained!r}: choose one of {EXPLAINED}')
        if min(max_slices, batch_size) < 1:
            raise ValueError(
                f'max_slices={max_slices}, batch_size={batch_size}: each must be 1 or more'
            )
        explainers = {name: TASK_UTILS.build(cfg) for name, cfg in maps.items()}
        self.scorer = ExplanationScorer(explainers, parts, seed)
        self.store = None if store is None else SliceStore(store)
        cases = self.store.cases if self.store else ()
        self._first_row = {case.name: case.first_row for case in cases}
        self.explained, self.out_file = explained, out_file
        self.max_slices, self.batch_size = max_slices, batch_size

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the slices that may be explained, at most ``max_slices`` and this batch."""
        for inputs, sample in zip(data_batch['inputs'], data_samples, strict=True):
            if self.explained == 'true' and 'label' not in sample:
                continue
            targets = dict(infection=_mask(sample), cause=self._cause(sample))
            known = any(mask is not None and mask.any() for mask in targets.values())
            name = hashlib.sha256(sample['sample_id'].encode()).hexdigest()
            candidate = dict(order=(not known, name), inputs=inputs, sample=sample, targets=targets)
            self.results.append(candidate)
        self.results = sorted(self.results, key=lambda c: c['order'])[: self.max_slices]

    def evaluate(self, size: int) -> dict[str, float]:
        """Explain the chosen slices, each rank its own, and score all maps on every rank.

        Raises:
            ValueError: If nobody gave the metric a network, or one that has no classifier or can
                give none of the maps.
        """
        if self.model is None:
            raise ValueError(
                'ExplanationMetric has no network: add ExplanationModelHook to custom_hooks, see '
                'configs/_base_/datasets/explanation.py'
            )
        if self.model.cls_head is None:
            raise ValueError(
                'the network has no cls_head, so there is no class to explain: leave '
                'ExplanationMetric out'
            )
        self._leave_out_what_is_lacking()
        orders = {order for part in all_gather_object(self._orders()) for order in part}
        chosen = set(sorted(orders)[: self.max_slices])
        own = [c for c in self.results if c['order'] in chosen]
        started = time.perf_counter()
        rows = [
            row
            for start in range(0, len(own), self.batch_size)
            for row in self._explain(own[start : start + self.batch_size])
        ]
        MMLogger.get_current_instance().info(
            f'{len(own)} slices explained in {time.perf_counter() - started:.1f} s: '
            f'{", ".join(self.scorer.parts)} of {", ".join(self.scorer.explainers)}'
        )
        gathered = [row for part in all_gather_object(rows) for row in part]
        self.results.clear()
        metrics = self.compute_metrics(gathered)
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average the rows of all ranks over patients, and write the files."""
        rows = list({(r['sample_id'], r['map']): r for r in results}.values())
        rows.sort(key=lambda r: r['sample_id'])
        if not rows:
            MMLogger.get_current_instance().warning('no slice could be explained: no scores')
            return {}
        end = f'_of_{self.explained}_class'
        named = [{k if k in IDS else k + end: v for k, v in row.items()} for row in rows]
        places = {f'{target}_auc' for target in TARGETS}
        if 'localisation' in self.scorer.parts and not any(places & row.keys() for row in rows):
            MMLogger.get_current_instance().warning(
                'no slice has a mask of infection or cause: where the maps lie is not scored'
            )
        if self.out_file and is_main_process():
            columns = [*IDS, *score_names(named)]
            table = [{name: row.get(name, '') for name in columns} for row in named]
            write_records(table, self.out_file)
            text = json.dumps(explanation_table(named), indent=1)
            write_text(Path(self.out_file).with_suffix('.json'), text)
        scores = explanation_score(named)(np.ones(len({row['patient'] for row in named})))
        return {name: value for name, value in scores.items() if not name.endswith('_slice_mean')}

    def _leave_out_what_is_lacking(self) -> None:
        lacking = lacking_maps(self.scorer.explainers, self.model)
        for name, why in lacking.items():
            MMLogger.get_current_instance().warning(
                f'the map {name} is left out, as the network cannot give it: {why}'
            )
        if lacking:
            kept = {k: v for k, v in self.scorer.explainers.items() if k not in lacking}
            self.scorer = ExplanationScorer(kept, self.scorer.parts, self.scorer.seed)

    def _orders(self) -> list[tuple]:
        return [candidate['order'] for candidate in self.results]

    def _explain(self, candidates: list[dict]) -> list[dict]:
        samples = [c['sample'] for c in candidates]
        batch = {'inputs': [c['inputs'] for c in candidates]}
        images = self.model.data_preprocessor(batch)['inputs']
        lungs = [sample['lung'] if 'lung' in sample else None for sample in samples]
        lung = torch.stack(
            [
                image_lung if m is None else m.to(image_lung.device)
                for image_lung, m in zip(inside_lungs(images), lungs, strict=True)
            ]
        )
        if self.explained == 'true':
            labels = torch.stack([sample['label'] for sample in samples]).to(images.device)
        else:
            with torch.no_grad(), eval_mode(self.model):
                labels = self.model.classify(self.model.features(images)).argmax(1)
        targets = {k: [c['targets'][k] for c in candidates] for k in TARGETS}
        found = self.scorer(self.model, images, lung, labels, targets)
        return [
            slice_ids(sample) | dict(explained_class=int(label)) | row
            for sample, label, rows in zip(samples, labels, found, strict=True)
            for row in rows
        ]

    def _cause(self, sample: dict) -> np.ndarray | None:
        if self.store is None:
            return None
        if sample['case'] not in self._first_row:
            raise ValueError(
                f'{self.store.root} has no case {sample["case"]!r}: give the metric the store of '
                'the dataset'
            )
        return self.store.cause(self._first_row[sample['case']] + sample['slice_index'])


def _mask(sample: dict) -> np.ndarray | None:
    return sample['infection'][0].cpu().numpy() > 0 if 'infection' in sample else None
