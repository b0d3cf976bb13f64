"""Check the structure of JSON that may have been written by others."""

from __future__ import annotations

import math
from typing import Any

NUMBER = 'a finite number'
COUNT = 'a whole number of at least 0'
ANY_NUMBER = 'a number'  # also NaN, infinity and null: a validation that gave no value
_LARGEST = 1e15  # all whole numbers up to it are exact as floats


def misfit(value: Any, shape: Any, path: str = '') -> str | None:
    """Describe the first part of ``value`` that has not the structure of ``shape``.

    Args:
        value: Content of a JSON file.
        shape: A type; one of the numbers above; a list with the shape of every item; a dict with
            the shapes of keys, of which those that end with ``?`` may be missing; or a tuple of
            alternatives, with None for null.
        path: Where ``value`` is, for the description.

    Returns:
        None if all of it fits.
    """
    if isinstance(shape, tuple):
        problems = [misfit(value, each, path) for each in shape]
        return None if None in problems else problems[0]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _told(path, value, 'a list')
        inside = (misfit(item, shape[0], f'{path}[{index}]') for index, item in enumerate(value))
        return next((found for found in inside if found), None)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return _told(path, value, 'an object')
        for key, each in shape.items():
            name = key.removesuffix('?')
            where = f'{path}.{name}' if path else name
            if name not in value:
                if name == key:
                    return f'{where} is missing'
            elif found := misfit(value[name], each, where):
                return found
        return None
    if shape is None:
        return None if value is None else _told(path, value, 'null')
    if isinstance(shape, type):
        return None if isinstance(value, shape) else _told(path, value, shape.__name__)
    return None if _is_number(value, shape) else _told(path, value, shape)


def _is_number(value: Any, shape: str) -> bool:
    if value is None:
        return shape == ANY_NUMBER
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return shape == ANY_NUMBER
    whole = isinstance(value, int) and value >= 0
    return abs(value) <= _LARGEST and (shape != COUNT or whole)


def _told(path: str, value: Any, expected: str) -> str:
    return f'{path or "it"} is {repr(value)[:80]}; expected {expected}'
