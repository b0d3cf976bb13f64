import pytest
import torch
from torch import nn

from w2s_mm.core.compiled import compile_parts
from w2s_mm.core.tape import record


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.head = nn.ModuleDict({'tower': nn.Sequential(nn.Linear(4, 4), nn.ReLU())})
        self.loss = nn.MSELoss()

    def forward(self, x):
        return self.head['tower'](self.stem(x))


@pytest.fixture
def graphs():
    """The graphs that were compiled, and a backend that keeps them."""
    torch._dynamo.reset()
    found = []

    def backend(graph, inputs):
        found.append(graph)
        return graph.forward

    found_backend = found, backend
    yield found_backend
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ('taps', 'parts'),
    [
        ((), ['stem', 'head.tower']),
        (('head.tower', 'stem'), ['stem', 'head.tower']),
        (('head.tower.0',), ['stem', 'head.tower.0']),
    ],
)
def test_the_largest_parts_that_hide_no_tap_are_compiled(taps, parts, graphs):
    net = Net()
    expected = net(torch.ones(2, 4))
    names = list(net.state_dict())
    assert compile_parts(net, taps, backend=graphs[1]) == parts
    with record(net, taps) as tape:
        found = net(torch.ones(2, 4))
    assert torch.equal(found, expected)
    assert len(graphs[0]) == len(parts)
    assert [len(tape[tap]) for tap in taps] == [1] * len(taps)
    found.sum().backward()  # the recorded tensors are on the graph
    assert net.stem.weight.grad is not None
    assert list(net.state_dict()) == names


def test_hooks_of_later_iterations_are_run_too(graphs):
    net = Net()
    compile_parts(net, ['stem'], backend=graphs[1])
    for _ in range(3):
        with record(net, ['stem']) as tape:
            net(torch.ones(2, 4))
        assert len(tape['stem']) == 1
    compiled = len(graphs[0])
    net(torch.ones(2, 4))
    assert len(graphs[0]) == compiled  # and no hook made it compile again


def test_validation_is_not_compiled(graphs):
    net = Net()
    compile_parts(net, [], backend=graphs[1])
    with torch.no_grad():
        net.eval()(torch.ones(2, 4))
    assert not graphs[0]
