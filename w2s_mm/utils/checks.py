"""Check the values of options. Every error names the option, its value and what is expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .errors import W2SError

# Of numbers, and of the distance from an excluded bound: beyond them the losses overflow.
LARGEST, SMALLEST = 1e12, 1e-12
MOST = 1_000_000  # of a count
SEEDS = 2**32 - 1  # the largest seed, as NumPy has it
_LONGEST = 4096  # characters of text, as of a path
_SHOWN = 200  # characters of a value in a message


def number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    hint: str = '',
) -> None:
    """Check that an option is a finite number in a range.

    Args:
        name: The option, as a user writes it.
        value: What was given.
        least: Lowest value.
        above: Lower bound, itself excluded.
        most: Highest value.
        below: Upper bound, itself excluded.
        hint: What to do, for the message.

    Raises:
        W2SError: It is not.
    """
    real = isinstance(value, (int, float)) and not isinstance(value, bool)  # JSON has no others
    size: Any = value if real else math.nan
    fits = (
        abs(size) <= LARGEST  # False for NaN
        and (least is None or size >= least)
        and (above is None or size >= above + SMALLEST)
        and (most is None or size <= most)
        and (below is None or size < below)
    )
    bounds = [
        f'{words} {bound:g}'
        for words, bound in (('of at least', least), ('above', above), ('at most', most),
                             ('below', below))
        if bound is not None
    ]  # fmt: skip
    require(fits, name, value, ' '.join(['a finite number', ' and '.join(bounds)]).strip(), hint)


def whole_number(name: str, value: Any, least: int = 1, most: int = MOST, hint: str = '') -> None:
    """Check that an option is a whole number from ``least`` to ``most``.

    Raises:
        W2SError: It is not.
    """
    fits = isinstance(value, int) and not isinstance(value, bool)
    expected = f'a whole number of at least {least}'
    if fits and value > most:  # the upper end is of no interest otherwise
        expected += f' and at most {most:,}'
    require(fits and least <= value <= most, name, value, expected, hint)


def flag(name: str, value: Any) -> None:
    """Check that an option is True or False.

    Raises:
        W2SError: It is not.
    """
    require(isinstance(value, bool), name, value, 'True or False')


def text(name: str, value: Any, hint: str = '') -> None:
    """Check that an option is text, and not empty.

    Raises:
        W2SError: It is not.
    """
    fits = isinstance(value, str) and 0 < len(value) <= _LONGEST
    require(fits, name, value, f'text of at most {_LONGEST:,} characters', hint)


def choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Check that an option is one of a few words.

    Raises:
        W2SError: It is not.
    """
    require(isinstance(value, str) and value in allowed, name, value, f'one of {tuple(allowed)}')


def settings(name: str, value: Any, example: str = 'dict(...)') -> None:
    """Check that an option is a dict.

    Raises:
        W2SError: It is not.
    """
    require(isinstance(value, dict), name, value, f'a dict such as {name}={example}')


def several(
    name: str, values: Any, check: Callable[[str, Any], None], count: int | None = None
) -> None:
    """Check that an option is a list or tuple, of ``count`` values if given, and each value.

    Raises:
        W2SError: It is not, or one of them does not fit.
    """
    fits = isinstance(values, (list, tuple)) and count in (None, len(values))
    require(fits, name, values, 'a list' if count is None else f'a list of {count} values')
    for value in values:
        check(name, value)


def require(fits: bool, name: str, value: Any, expected: str, hint: str = '') -> None:
    """Raise the error for the value of an option, unless it fits.

    Raises:
        W2SError: It does not.
    """
    if not fits:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}...'
        raise W2SError(f'{name} is {shown}; expected {expected}.{f" {hint}" if hint else ""}')
