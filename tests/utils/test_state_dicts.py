import copy

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as load
from torch import nn

from w2s_mm.utils.state_dicts import drop_prefix, leave_out


@pytest.fixture
def wrapper():
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
            drop_prefix(self, 'inner')

    return Wrapper()


def test_a_wrapper_has_the_keys_of_what_it_wraps(wrapper):
    state = wrapper.state_dict()
    assert state.keys() == wrapper.inner.state_dict().keys() == get_state_dict(wrapper).keys()
    wrapper.inner.load_state_dict(state, strict=True)
    wrapper.load_state_dict(wrapper.inner.state_dict(), strict=True)


def test_a_wrapper_keeps_the_prefix_of_its_own_place(wrapper):
    outer = nn.ModuleDict({'a': wrapper, 'b': nn.Linear(1, 1)})
    state = outer.state_dict()
    assert 'a.0.weight' in state and 'b.weight' in state
    outer.load_state_dict(state, strict=True)


@pytest.fixture
def model():
    model = nn.ModuleDict({'kept': nn.Linear(2, 2), 'left': nn.BatchNorm1d(2)})
    leave_out(model['left'])
    return model


@pytest.mark.parametrize('read', [lambda m: m.state_dict(), get_state_dict])
def test_what_is_left_out_is_in_no_state_dict(model, read):
    assert set(read(model)) == {'kept.weight', 'kept.bias'}
    assert set(read(nn.ModuleDict({'deeper': model}))) == {'deeper.kept.weight', 'deeper.kept.bias'}


@pytest.mark.parametrize(
    'put', [lambda m, s: m.load_state_dict(s, strict=True), lambda m, s: load(m, s, strict=True)]
)
def test_loading_does_not_change_what_is_left_out(model, put):
    model['left'].weight.data.fill_(7.0)
    put(model, {'kept.weight': torch.ones(2, 2), 'kept.bias': torch.zeros(2)})
    assert (model['left'].weight == 7).all() and (model['kept'].weight == 1).all()


def test_a_copy_is_left_out_too(model):
    assert set(copy.deepcopy(model).state_dict()) == {'kept.weight', 'kept.bias'}
