"""Training and test samples from a slice store."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset

from ..classes import CLASSES, COVID, NP
from ..data_prep.splits.assign import check_labelled
from ..data_prep.splits.leaks import leak_text
from ..data_prep.splits.record import known_leaks
from ..data_prep.store.reader import SliceStore
from ..data_prep.store.schema import UNKNOWN
from ..registry import DATASETS, TRANSFORMS
from ..utils.errors import StoreError


@DATASETS.register_module()
class SliceDataset(Dataset):
    """Slices of some roles of a split, as samples.

    All random choices of the transforms come from a seed that the sampler gives with the position.
    So the same draw gives the same views in any worker, rank or resumed process.

    Args:
        store: Folder of the slice store.
        split: Name of a split of that store.
        roles: Roles to use, out of 'labelled', 'unlabelled', 'val', 'test'. A config may give
            training the first two and validation 'val'.
        pipeline: Configs of transforms; the last is ``PackCTInputs``.
        lung_fill: Set everything outside the lung mask to 0 (Sec. III-A).
        window: HU that become 0 and 1; not in the paper.
        weak_labels: Unlabelled slices keep their class (weakly supervised), never their mask.
        reveal: Unlabelled slices keep their mask and class. Only for measuring pseudo labels, and
            for the oracle; never set it for training a method.
        class_from_mask: A COVID-19 slice whose mask is known and empty is NP: it shows nothing.
            Not in the paper, which gives every slice its patient's class.
        allow_leaks: Use a split that is known to leak, see ``docs/how-to/split.md``.

    Raises:
        StoreError: If the store or split is not there, the split is known to leak, a role has
            no slices, or a labelled slice lacks its class or its mask.
        ValueError: If a role is named twice, or the window is empty or upside down.
    """

    metainfo = {'classes': CLASSES}

    def __init__(
        self,
        store: str | Path,
        split: str,
        roles: Sequence[str],
        pipeline: Sequence[dict],
        lung_fill: bool = True,
        window: tuple[float, float] = (-1250, 250),
        weak_labels: bool = False,
        reveal: bool = False,
        class_from_mask: bool = False,
        allow_leaks: bool = False,
    ) -> None:
        self.store = SliceStore(store)
        if len(set(roles)) < len(roles):
            raise ValueError(f'roles {list(roles)} name one twice: each slice would count twice')
        if window[0] >= window[1]:
            raise ValueError(f'window={list(window)}: HU that become 0 and 1, low < high, expected')
        if not allow_leaks:
            _check_leaks(self.store, split)
        self.rows = np.concatenate([_rows(self.store, split, role) for role in roles])
        hidden = self.store.rows(split, 'unlabelled')
        self.is_labelled = ~np.isin(self.rows, hidden, assume_unique=True)
        self.pipeline = Compose([TRANSFORMS.build(step) for step in pipeline])
        self.lung_fill, self.window = lung_fill, window
        self.weak_labels, self.reveal = weak_labels, reveal
        index = self.store.index[self.rows]
        empty = (index['infection'] != UNKNOWN) & (index['infection_px'] == 0)
        nothing = empty & (index['label'] == COVID) & (self.is_labelled | reveal)
        self.labels = np.where(nothing & class_from_mask, NP, index['label'])
        if 'labelled' in roles:
            self._check_labels()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sample_ids(self) -> list[str]:
        """The name of each slice: case/slice."""
        slices = self.store.index['slice'][self.rows]
        cases = (self.store.case_of(row).name for row in self.rows)
        return [f'{case}/{number}' for case, number in zip(cases, slices, strict=True)]

    @property
    def labelled_positions(self) -> np.ndarray:
        """Positions of the labelled stream, ascending."""
        return np.flatnonzero(self.is_labelled)

    @property
    def labelled_groups(self) -> list[np.ndarray]:
        """The labelled stream by what a slice shows: positions of each class, each ascending.

        COVID-19 slices without infection are a group of their own where their class is COVID-19.
        """
        positions = self.labelled_positions
        index = self.store.index[self.rows[positions]]
        shows = np.stack((self.labels[positions], index['infection_px'] > 0), axis=1)
        return [positions[(shows == kind).all(1)] for kind in np.unique(shows, axis=0)]

    @property
    def unlabelled_positions(self) -> np.ndarray:
        """Positions of the unlabelled stream, ascending."""
        return np.flatnonzero(~self.is_labelled)

    def __getitem__(self, draw: int | tuple[int, int]) -> dict[str, Any]:
        """Return the packed sample of a draw (position, seed); the seed of a bare position is 0."""
        position, seed = draw if isinstance(draw, tuple) else (draw, 0)
        return self.pipeline(self._read(int(position), np.random.default_rng(seed)))

    def _read(self, position: int, rng: np.random.Generator) -> dict[str, Any]:
        row = self.rows[position]
        entry, case = self.store.index[row], self.store.case_of(row)
        labelled = bool(self.is_labelled[position])
        lung = self.store.lung(row)
        image = self.store.display(row, self.window)
        label = int(self.labels[position])
        return dict(
            image=image * lung if self.lung_fill and lung is not None else image,
            lung=lung,
            infection=self.store.infection(row) if labelled or self.reveal else None,
            label=label if label >= 0 and (labelled or self.weak_labels or self.reveal) else None,
            is_labelled=labelled,
            rng=rng,
            sample_id=f'{case.name}/{entry["slice"]}',
            case=case.name,
            patient=case.patient,
            site=case.site,
            slice_index=int(entry['slice']),
            pixel_mm=case.spacing_mm and tuple(case.spacing_mm[1:]),
        )

    def _check_labels(self) -> None:
        check_labelled(self.store, self.rows[self.is_labelled])


def _check_leaks(store: SliceStore, split: str) -> None:
    leaks, command = known_leaks(store, split), f'xaicovid prepare split {store.root}'
    if leaks is None:
        print_log(
            f'{store.root}: split {split!r} was not checked for leaks between training and test, '
            f'run `{command} --name {split} --recheck`',
            'current',
            logging.WARNING,
        )
    elif leaks:
        raise StoreError(
            f'{store.root}: split {split!r} has {len(leaks)} leaks, the first: '
            f'{leak_text(leaks[0])}',
            'give these patients one role, or set allow_leaks=True in each dataset of the config',
        )


def _rows(store: SliceStore, split: str, role: str) -> np.ndarray:
    rows = store.rows(split, role)
    if not len(rows):
        raise StoreError(
            f'{store.root}, split {split!r}: no slice has the role {role!r}',
            'make a split with such patients, or leave the role out of the dataset',
        )
    return rows
