"""Resolved configs as recorded values, and their differences."""

import json
import math
from math import inf

import pytest

from w2s_mm.utils.settings import differences, recorded


def test_what_is_recorded_is_json_and_names_no_place_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = recorded(
        {
            'work_dir': '/home/me/runs',
            'data_root': f'{tmp_path}/data/coco',
            'ann_file': '/mnt/data/coco/train.json',
            'size': (320, 320),
            'clip': inf,
            'optimizer': {'lr': 0.1, 'betas': (0.9, 0.99), 'kind': object},
        }
    )
    assert json.loads(json.dumps(kept, allow_nan=False)) == {
        'data_root': 'data/coco',
        'ann_file': 'train.json',
        'size': [320, 320],
        'clip': 'inf',
        'optimizer': {'lr': 0.1, 'betas': [0.9, 0.99], 'kind': "<class 'object'>"},
    }


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ({'a': 1}, {'a': 1}, []),
        ({'a': {'b': 1}}, {'a': {'b': 2}}, [('a.b', 1, 2)]),
        ({'a': {'b': 1}}, {}, [('a', {'b': 1}, None)]),
        ({'a': [{'b': 1}, 2]}, {'a': [{'b': 3}, 2]}, [('a.0.b', 1, 3)]),
        ({'a': [1]}, {'a': [1, 2]}, [('a', [1], [1, 2])]),
        ({'a': (1, 2)}, {'a': [1, 2]}, []),
        ({'a': math.inf, 'b': math.nan}, {'a': math.inf, 'b': math.nan}, []),
        ({'a': math.inf}, {'a': -math.inf}, [('a', math.inf, -math.inf)]),
    ],
)
def test_differences(old, new, expected):
    assert list(differences(old, new)) == expected


def test_keys_that_may_differ_are_left_out_at_any_depth():
    old, new = {'a': {'workers': 1, 'b': 2}}, {'a': {'workers': 2, 'b': 3}}
    assert list(differences(old, new, ['workers'])) == [('a.b', 2, 3)]
