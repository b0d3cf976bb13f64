"""The values of a metric at which runs are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .runs import Run
from .statistics import final_and_best

Kind = Literal['target', 'teacher', 'final']


@dataclass(frozen=True)
class Level:
    """A value of the metric, given or taken from the runs.

    Attributes:
        kind: ``'target'``: a given value; ``'teacher'``: the teacher's metric on the student's
            validation set; ``'final'``: a part of the last value of the baseline.
        number: The value for ``'target'``, the part for ``'final'``, unused for ``'teacher'``.
    """

    kind: Kind
    number: float = 1.0

    def of(self, baseline: Run | None, ours: Run | None) -> float | None:
        """The value for a pair, or None where its runs do not have it.

        The last value of the baseline is that of its own seed: the quality that this seed would
        have had. A part of it divides the value where less is better: 95 % of an FID of 19 is 20.
        """
        if self.kind == 'target':
            return self.number
        if self.kind == 'teacher':
            return ours.reference if ours else None
        final = final_and_best(baseline)[0] if baseline else math.nan
        if not math.isfinite(final) or (final <= 0 and self.number != 1):
            return None
        less = baseline is not None and baseline.rule == 'less'
        return final / self.number if less else final * self.number


TEACHER = Level('teacher')
FINAL = Level('final')
NEARLY_FINAL = Level('final', 0.95)


def target(value: float) -> Level:
    """A given target."""
    return Level('target', value)
