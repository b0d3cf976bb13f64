"""Some of the cases of each kind end well; ``python -m tests.fuzz`` runs all of them."""

import pytest

from .cases import REFUSED, SUCCESS, limited_memory, outcome
from .runner import sampled

CASES = sampled(seed=1, count=200)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('case', CASES, ids=lambda case: f'{case.kind}: {case.name}')
def test_ends_well(case, tmp_path):
    with limited_memory():
        assert outcome(case, tmp_path) in (SUCCESS, REFUSED)
