import math

import pytest

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError


@pytest.mark.parametrize(
    'value',
    [None, True, '1', b'1', [], {}, 1j, math.nan, math.inf, -math.inf, 1e308, 1 << 70, {1}],
    ids=repr,
)
def test_what_is_no_finite_number(value):
    with pytest.raises(W2SError, match=r'^weight is .*; expected a finite number\.'):
        checks.number('weight', value)


@pytest.mark.parametrize(
    ('bounds', 'good', 'bad'),
    [
        ({'least': 0}, 0, -1e-9),
        ({'above': 0}, 1e-9, 0),
        ({'most': 1}, 1, 1.1),
        ({'below': 1}, 0.99, 1),
    ],
)
def test_bounds_of_a_number(bounds, good, bad):
    checks.number('weight', good, **bounds)
    with pytest.raises(W2SError, match='weight is'):
        checks.number('weight', bad, **bounds)


@pytest.mark.parametrize('value', [0, 1.0, True, '1', None, 1 << 70, math.nan, [1]], ids=repr)
def test_what_is_no_count(value):
    with pytest.raises(W2SError, match=r'^k is .*; expected a whole number of at least 1'):
        checks.whole_number('k', value)


@pytest.mark.parametrize('value', [0, 1, None, 'False', []], ids=repr)
def test_a_flag_is_true_or_false(value):
    with pytest.raises(W2SError, match=r'reverse is .* expected True or False'):
        checks.flag('reverse', value)


def test_lists_choices_text_and_dicts():
    checks.several('betas', (0.9, 0.99), checks.number, count=2)
    for wrong in (0.9, [0.9], [0.9, 'x'], None):
        with pytest.raises(W2SError, match='betas is'):
            checks.several('betas', wrong, checks.number, count=2)
    for wrong in ('none', None, ['low']):
        with pytest.raises(W2SError, match=r"side is .* one of \('low', 'high'\)"):
            checks.choice('side', wrong, ('low', 'high'))
    for wrong in ('', None, 5):
        with pytest.raises(W2SError, match=r'metric is .* expected text'):
            checks.text('metric', wrong)
    with pytest.raises(W2SError, match=r"stop is 'x'; expected a dict such as stop=dict\(k=2\)"):
        checks.settings('stop', 'x', 'dict(k=2)')


def test_a_long_value_is_cut():
    with pytest.raises(W2SError) as error:
        checks.flag('reverse', 'x' * 1_000_000)
    assert len(str(error.value)) < 400
