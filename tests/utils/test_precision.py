import pytest
import torch

from w2s_mm.utils.precision import full_precision


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_half_precision_becomes_float32(dtype):
    assert full_precision(torch.zeros(2, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_others_are_left_as_they_are(dtype):
    x = torch.zeros(2, dtype=dtype)
    assert full_precision(x) is x
