"""Which slices meet in a batch."""

from types import SimpleNamespace

import numpy as np
import pytest

from xaicovid_mm.datasets import TwoStreamSampler
from xaicovid_mm.datasets.samplers import two_stream_sampler

DATA = SimpleNamespace(labelled_positions=np.arange(5), unlabelled_positions=np.arange(5, 28))
NOTHING = np.arange(0)


def sampler(*args, rank=0, world=1, data=DATA, **settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_stream_sampler, 'get_rank', lambda: rank)
        patch.setattr(two_stream_sampler, 'get_world_size', lambda: world)
        return TwoStreamSampler(data, *args, **settings)


def batches(stream, size):
    draws = list(stream)
    return [draws[i : i + size] for i in range(0, len(draws), size)]


def test_every_batch_has_its_labelled_and_unlabelled_slices():
    for batch in batches(sampler(2, 3, seed=0), 5):
        assert [d.position < 5 for d in batch] == [True, True, False, False, False]


def test_an_epoch_passes_once_over_the_unlabelled_slices():
    stream = sampler(2, 4, seed=0)
    seen = {d.position for d in stream if d.position >= 5}
    assert seen == set(range(5, 28)) and len(list(stream)) == len(stream) == 6 * 6


def test_the_labelled_stream_alone_sets_its_own_epoch():
    stream = sampler(2, seed=0)
    assert len(stream) == 6 and {d.position for d in stream} == set(range(5))


def test_the_length_of_an_epoch_can_be_set():
    assert len(sampler(2, 3, batches_per_epoch=40)) == 200


def test_labelled_slices_are_all_used_before_one_comes_again():
    draws = [d.position for d in sampler(1, 1, seed=0) if d.position < 5]
    assert sorted(draws[:5]) == list(range(5)) == sorted(draws[5:10])


def test_two_ranks_see_what_one_process_of_the_same_total_sees():
    one = batches(sampler(4, 6, seed=3), 10)
    ranks = [batches(sampler(2, 3, seed=3, rank=r, world=2), 5) for r in range(2)]
    for whole, first, second in zip(one, *ranks, strict=True):
        assert whole == first[:2] + second[:2] + first[2:] + second[2:]


def test_an_epoch_can_be_repeated_and_the_next_is_another():
    stream = sampler(2, 3, seed=0)
    stream.set_epoch(4)
    fourth = list(stream)
    stream.set_epoch(5)
    assert list(stream) != fourth
    stream.set_epoch(4)
    assert list(stream) == fourth


GROUPED = SimpleNamespace(
    labelled_positions=np.arange(20),
    labelled_groups=[np.arange(17), np.arange(17, 19), np.arange(19, 20)],
    unlabelled_positions=np.arange(20, 28),
)


def test_every_batch_holds_every_kind_of_labelled_slice():
    for batch in batches(sampler(6, 2, seed=0, data=GROUPED, batches_per_epoch=20), 8):
        labelled = [d.position for d in batch[:6]]
        kinds = [sum(p in group for p in labelled) for group in GROUPED.labelled_groups]
        assert kinds == [2, 2, 2]


def test_of_each_kind_all_slices_are_used_before_one_comes_again():
    stream = sampler(3, seed=1, data=GROUPED, batches_per_epoch=17)
    drawn = [d.position for d in stream]
    assert set(range(17)) < set(drawn) and drawn.count(19) == 17


def test_without_balance_every_labelled_slice_is_as_likely():
    stream = sampler(5, seed=1, data=GROUPED, batches_per_epoch=4, balance=False)
    assert sorted(d.position for d in stream) == list(range(20))


@pytest.mark.parametrize('per_rank', [2, 3])
def test_balanced_ranks_see_what_one_process_of_the_same_total_sees(per_rank):
    one = batches(sampler(2 * per_rank, seed=3, data=GROUPED, batches_per_epoch=5), 2 * per_rank)
    ranks = [
        batches(
            sampler(per_rank, seed=3, rank=r, world=2, data=GROUPED, batches_per_epoch=5), per_rank
        )
        for r in range(2)
    ]
    for whole, first, second in zip(one, *ranks, strict=True):
        assert whole == first + second


def test_seeds_of_an_epoch_do_not_repeat():
    seeds = [d.seed for d in sampler(2, 3, seed=0)]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize(
    'counts, data, named',
    [
        ((0, 3), DATA, 'labelled_per_batch=0.*labelled'),
        (
            (2, 3),
            SimpleNamespace(labelled_positions=np.arange(5), unlabelled_positions=NOTHING),
            'unlabelled_per_batch=3.*0 unlabelled',
        ),
        (
            (2, 0),
            SimpleNamespace(labelled_positions=NOTHING, unlabelled_positions=np.arange(5)),
            'labelled_per_batch=2.*0 labelled',
        ),
    ],
)
def test_streams_that_cannot_fill_a_batch_are_named(counts, data, named):
    with pytest.raises(ValueError, match=named):
        sampler(*counts, data=data)
