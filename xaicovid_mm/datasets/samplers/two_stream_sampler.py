"""Draw labelled and unlabelled slices for each batch."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from mmengine.dist import get_rank, get_world_size
from torch.utils.data import Sampler

from ...registry import DATA_SAMPLERS
from ..slice_dataset import SliceDataset


class Draw(NamedTuple):
    """A position in the dataset, and the seed of this sample's random transforms."""

    position: int
    seed: int


@DATA_SAMPLERS.register_module()
class TwoStreamSampler(Sampler):
    """Fill every batch of every rank with a fixed number of labelled and unlabelled slices.

    A rank without labelled slices would lack a loss that the other ranks wait for. The order is
    drawn for all ranks together and then divided, and the seed of a draw does not depend on the
    rank: two ranks of (n_l, n_u) get the slices and views that one process of (2 n_l, 2 n_u) gets.

    Args:
        dataset: Has ``labelled_positions`` and ``unlabelled_positions``; for ``balance`` also
            ``labelled_groups``, the former by what a slice shows.
        labelled_per_batch: n_l, labelled slices per batch and rank, at least 1.
        unlabelled_per_batch: n_u, unlabelled slices per batch and rank; 0 for none.
        seed: Of the order and of every draw.
        batches_per_epoch: Length of an epoch. By default one pass over the unlabelled slices while
            the labelled ones repeat, or over the labelled ones if there are no others. The paper
            does not define its epoch.
        balance: Draw from each of the ``labelled_groups`` equally often. Infected slices are few,
            and a batch without any teaches no infection. Not in the paper.

    Raises:
        ValueError: If a batch would have no labelled slice, or a stream that is asked for is empty.
    """

    def __init__(
        self,
        dataset: SliceDataset,
        labelled_per_batch: int,
        unlabelled_per_batch: int = 0,
        seed: int | None = None,
        batches_per_epoch: int | None = None,
        balance: bool = True,
    ) -> None:
        if labelled_per_batch < 1:
            raise ValueError(
                f'labelled_per_batch={labelled_per_batch}: every rank needs a labelled slice in '
                'every batch, or the others wait for its loss'
            )
        streams = (
            ('labelled', dataset.labelled_positions, labelled_per_batch),
            ('unlabelled', dataset.unlabelled_positions, unlabelled_per_batch),
        )
        for name, positions, wanted in streams:
            if wanted and not len(positions):
                raise ValueError(
                    f'{name}_per_batch={wanted}, but the dataset has 0 {name} slices: give the '
                    f"split such patients and add the role '{name}' to the dataset"
                )
        self.streams = [(positions, wanted) for _, positions, wanted in streams if wanted]
        groups = getattr(dataset, 'labelled_groups', None) if balance else None
        self.groups = [groups or [dataset.labelled_positions], [dataset.unlabelled_positions]]
        self.rank, self.world_size = get_rank(), get_world_size()
        longest, per_rank = self.streams[-1]
        self.batches = batches_per_epoch or -(-len(longest) // (per_rank * self.world_size))
        self.seed = seed or 0
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the order; mmengine's ``DistSamplerSeedHook`` calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * sum(per_rank for _, per_rank in self.streams)

    def __iter__(self) -> Iterator[Draw]:
        shares = [self._share(number) for number in range(len(self.streams))]
        for batch in range(self.batches):
            for positions, seeds in shares:
                yield from map(Draw, positions[batch].tolist(), seeds[batch].tolist())

    def _share(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions and seeds of a stream for this rank, each (batches, per rank)."""
        _, per_rank = self.streams[number]
        rng = np.random.default_rng([self.seed, self.epoch, number])
        needed = self.batches * per_rank * self.world_size
        order = _in_turn([_repeated(rng, g, needed) for g in self.groups[number]], needed, rng)
        seeds = rng.integers(0, 2**63, needed)
        shape = (self.batches, self.world_size, per_rank)
        return order.reshape(shape)[:, self.rank], seeds.reshape(shape)[:, self.rank]


def _repeated(rng: np.random.Generator, positions: np.ndarray, needed: int) -> np.ndarray:
    """So many positions, each pass over them in an order of its own."""
    passes = -(-needed // len(positions))
    return np.concatenate([rng.permutation(positions) for _ in range(passes)])[:needed]


def _in_turn(orders: list[np.ndarray], needed: int, rng: np.random.Generator) -> np.ndarray:
    """Take one position of each order, again and again; who comes first is drawn once."""
    orders = [orders[i] for i in rng.permutation(len(orders))] if len(orders) > 1 else orders
    return np.stack(orders, axis=1).reshape(-1)[:needed]
