import math

import pytest

from w2s_mm.utils.shapes import ANY_NUMBER, COUNT, NUMBER, misfit

SHAPE = {'name': str, 'points': [{'x': NUMBER, 'y': ANY_NUMBER}], 'k': (COUNT, None), 'more?': dict}
SOUND = {'name': 'a', 'points': [{'x': 1.5, 'y': math.nan}, {'x': 2, 'y': None}], 'k': 3}


@pytest.mark.parametrize('change', [{}, {'k': None}, {'more': {}}, {'other': {1}}], ids=repr)
def test_sound(change):
    assert misfit({**SOUND, **change}, SHAPE) is None


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        ({'name': 5}, 'name is 5; expected str'),
        ({'points': {}}, 'points is {}; expected a list'),
        ({'points': [3]}, 'points[0] is 3; expected an object'),
        ({'points': [{'y': 1}]}, 'points[0].x is missing'),
        ({'points': [{'x': math.inf, 'y': 1}]}, 'points[0].x is inf; expected a finite number'),
        ({'points': [{'x': True, 'y': 1}]}, 'points[0].x is True; expected a finite number'),
        ({'points': [{'x': 10**400, 'y': 1}]}, 'points[0].x is 1000'),
        ({'k': -1}, 'k is -1; expected a whole number of at least 0'),
        ({'k': 1.5}, 'k is 1.5; expected a whole number'),
        ({'more': []}, 'more is []; expected dict'),
    ],
    ids=repr,
)
def test_first_part_that_does_not_fit(change, told):
    assert misfit({**SOUND, **change}, SHAPE).startswith(told)
    assert misfit([], SHAPE) == 'it is []; expected an object'
