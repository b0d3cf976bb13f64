import pytest
import torch
from torch import nn

from w2s_mm.core.tape import record


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.scale = Scale()

    def forward(self, x):
        return self.scale(self.inner(self.inner(x)), by=3.0)


class Scale(nn.Module):
    def forward(self, x, by):
        return x * by


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


class Pair(nn.Module):
    def forward(self, x):
        return x, [x + 1]


def test_a_list_that_is_changed_afterwards_is_recorded_as_it_was():
    model = nn.Sequential(Pair())
    with record(model, ['0']) as tape:
        _, others = model(torch.ones(1))
        others[0] = torch.zeros(1)
    assert tape.last('0').output[1][0] == 2


def test_records_every_call_in_order_with_the_very_tensors():
    model, x = Twice(), torch.ones(1, 2)
    with record(model, ['inner', 'scale', 'inner.0']) as tape:
        output = model(x)
    first, second = tape['inner']
    assert first.args[0] is x
    assert second.args[0] is first.output
    assert tape['inner.0'][1].args[0] is first.output
    (scaled,) = tape['scale']
    assert scaled.args[0] is second.output
    assert scaled.kwargs == {'by': 3.0}
    assert scaled.output is output


def test_recorded_outputs_are_on_the_graph():
    model = Twice()
    with record(model, ['inner']) as tape:
        model(torch.ones(1, 2))
    grad = torch.autograd.grad(tape['inner'][0].output.sum(), model.inner[0].bias)
    assert grad[0].shape == (2,)


def test_changes_nothing_and_leaves_nothing():
    model, x = Twice(), torch.ones(1, 2)
    plain = model(x)
    with record(model, ['inner']) as tape:
        assert torch.equal(model(x), plain)
    model(x)
    assert len(tape['inner']) == 2
    assert hooks(model) == 0


def test_hooks_go_when_the_forward_fails():
    model = Twice()
    with pytest.raises(RuntimeError), record(model, ['inner']):
        model(torch.ones(1, 3))
    assert hooks(model) == 0


def test_unknown_submodule_is_named():
    model = Twice()
    with pytest.raises(AttributeError, match='nothing'), record(model, ['inner', 'nothing']):
        pass
    assert hooks(model) == 0


def test_nothing_to_record():
    with record(Twice(), []) as tape:
        pass
    assert tape == {}
