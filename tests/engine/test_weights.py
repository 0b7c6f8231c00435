"""Weights are taken whole, or it is said in words what was taken."""

import pytest
import torch
from torch import nn

from xaicovid_mm.engine.weights import WeightsError, load_all, load_fitting, weights_of


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def weights(**changes):
    torch.manual_seed(1)
    state = {name: tensor.clone() for name, tensor in network().state_dict().items()}
    state |= changes
    return {name: tensor for name, tensor in state.items() if tensor is not None}


NAN, INF = torch.full((3, 2), float('nan')), torch.full((3, 2), -float('inf'))
FAULTS = [
    ({'0.weight': None}, '1 missing in the file: 0.weight'),
    ({'more': torch.ones(1)}, '1 unknown to the network: more'),
    ({'0.weight': torch.ones(2, 3)}, r'0.weight \(2, 3\) float32, here \(3, 2\) float32'),
    ({'0.weight': torch.ones(3, 2).int()}, 'int32, here'),
    ({'0.weight': None, 'renamed': torch.ones(3, 2)}, 'missing in the file: 0.weight; 1 unknown'),
    ({'0.weight': NAN}, '1 weights hold NaN or infinity: 0.weight'),
    ({'1.running_var': torch.tensor([1, float('inf'), 1])}, 'NaN or infinity: 1.running_var'),
    ({'0.weight': INF.half()}, 'NaN or infinity'),
    ({'0.weight': torch.full((3, 2), 1e39, dtype=torch.double)}, 'NaN or infinity'),  # in float32
    ({'1.running_var': -torch.ones(3)}, 'variances below 0: 1.running_var'),
]


@pytest.mark.parametrize('changes, named', FAULTS)
def test_all_means_each_and_every_one(changes, named):
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError, match=named) as caught:
        load_all(model, weights(**changes), 'a.pth')
    assert str(caught.value).startswith('a.pth')
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_sound_weights_are_loaded_also_of_another_precision():
    model = network()
    load_all(model, weights(**{'0.weight': torch.full((3, 2), 0.5).half()}), 'a.pth')
    assert (model[0].weight == 0.5).all()
    assert torch.equal(model[2].weight, weights()['2.weight'])


def test_a_start_for_training_takes_what_fits_and_says_what_did_not():
    model = network()
    given = weights(**{'0.weight': torch.ones(9, 9), '2.bias': None, 'head.w': torch.ones(1)})
    said = load_fitting(model, given, 'a.pth')
    assert torch.equal(model[2].weight, given['2.weight'])
    assert said == (
        'a.pth: took 7 of 9 weights of the network; 1 missing in the file: 2.bias; '
        '1 of another shape: 0.weight (9, 9) float32, here (3, 2) float32; '
        '1 unknown to the network: head.w'
    )
    assert 'nothing was left over' in load_fitting(model, weights(), 'a.pth')


@pytest.mark.parametrize(
    'given', [{'other': torch.ones(1)}, {'1.num_batches_tracked': torch.tensor(3)}]
)
def test_a_start_of_which_nothing_fits_is_an_error(given):
    with pytest.raises(WeightsError, match='none of its weights fit.*leave load_from out'):
        load_fitting(network(), given, 'a.pth')


def test_a_start_that_is_not_finite_is_an_error():
    with pytest.raises(WeightsError, match='NaN or infinity'):
        load_fitting(network(), weights(**{'0.weight': NAN}), 'a.pth')


@pytest.mark.parametrize(
    'content', [{}, {'a': 0}, {'state_dict': 3}, {'state_dict': {}}, {'state_dict': {'a': [1]}}]
)
def test_a_file_without_weights_is_named(content):
    with pytest.raises(WeightsError, match='a.pth holds no weights'):
        weights_of(content, 'a.pth')


@pytest.mark.parametrize('tensor', [torch.ones(3, 2, device='meta'), torch.ones(3, 2).to_sparse()])
def test_a_tensor_without_plain_numbers_is_named(tensor):
    with pytest.raises(WeightsError, match='a.pth: 0.weight hold no plain numbers'):
        weights_of(weights(**{'0.weight': tensor}), 'a.pth')


def test_two_weights_of_one_name_are_refused():
    with pytest.raises(WeightsError, match='several weights of the name 0.bias'):
        weights_of(weights(**{'module.0.bias': torch.zeros(3)}), 'a.pth')


def test_weights_may_stand_alone_and_come_from_a_wrapper():
    for content in ({'module.a': torch.ones(1)}, {'state_dict': {'module.a': torch.ones(1)}}):
        assert weights_of(content, 'a.pth') == {'a': torch.ones(1)}
