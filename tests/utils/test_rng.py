import io
import random

import numpy as np
import pytest
import torch

from w2s_mm.utils.rng import preserved_rng, rng_state, set_rng_state


def draw():
    return (
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.randn(),
        torch.rand(3).tolist(),
        torch.randn(20).tolist(),
    )


def test_state_brings_back_the_same_draws():
    random.gauss(0, 1)  # leaves half a pair of normals waiting, part of the state
    np.random.randn()
    state = rng_state()
    first = draw()
    assert draw() != first
    set_rng_state(state)
    assert draw() == first


def test_state_survives_a_checkpoint_that_holds_no_code():
    state = rng_state()
    first = draw()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    set_rng_state(torch.load(file, weights_only=True))
    assert draw() == first


def test_preserved_whatever_happens_inside():
    state = rng_state()
    expected = draw()
    set_rng_state(state)
    with preserved_rng():
        draw()
        torch.manual_seed(7)
    assert draw() == expected
    set_rng_state(state)
    with pytest.raises(KeyError), preserved_rng():
        draw()
        raise KeyError
    assert draw() == expected
