import pytest
import torch
from torch import nn

from w2s_mm.core.guard import REPLACEMENT, Guard, all_finite

CPU = torch.device('cpu')
BAD = (float('nan'), float('inf'), -float('inf'))


def nested(value=0.0, dtype=torch.float32):
    """Levels, a stage, a number that is no float, and who gave them, as answers have them."""
    last = torch.tensor([1.0, value], dtype=dtype)
    return ([torch.zeros(2, 3), last], {'rois': torch.arange(3), 'none': None}, nn.Identity())


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_finite_everywhere(dtype):
    assert all_finite(nested(dtype=dtype), CPU)
    for value in BAD:
        assert not all_finite(nested(value, dtype), CPU)


def test_nothing_to_look_at_is_finite():
    assert all_finite((), CPU)
    assert all_finite([torch.arange(3)], CPU)
    assert all_finite([torch.zeros(0, 4)], CPU)


def test_a_dropped_answer_has_every_number_replaced_and_nothing_else():
    answer = nested(float('nan'))
    levels, rest, head = Guard('c.pth').admit(answer, CPU)
    assert all((level == REPLACEMENT).all() for level in levels)
    assert torch.equal(rest['rois'], torch.arange(3)) and rest['none'] is None
    assert head is answer[-1]
    assert torch.tensor(REPLACEMENT).sigmoid() < 1e-6  # no prior is confident


def test_a_finite_answer_stays_as_it_is():
    answer = nested(2.0)
    levels, _, _ = Guard('c.pth').admit(answer, CPU)
    assert all(torch.equal(a, b) for a, b in zip(levels, answer[0], strict=True))


@pytest.mark.parametrize(('value', 'expected'), [(1.0, 3.0), (float('nan'), 0.0)])
def test_a_term_counts_only_if_its_answer_was_finite(value, expected):
    guard = Guard('c.pth')
    guard.admit(nested(value), CPU)
    weight = torch.tensor(3.0, requires_grad=True)
    term = guard.masked(weight * 1.0)
    term.backward()
    assert term == expected and weight.grad == float(expected > 0)
