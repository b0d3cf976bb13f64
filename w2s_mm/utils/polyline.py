"""Store a piecewise linear curve with few points."""

from __future__ import annotations

import math
from typing import Any


class Polyline:
    """A curve to which points are added one by one. Points on a straight line are dropped.

    Dropped points are within ``tolerance`` times the largest value so far of the line.

    Args:
        tolerance: Relative tolerance.

    Attributes:
        points: ``[x, y]`` of each corner and of the last point.
    """

    def __init__(self, tolerance: float = 1e-3) -> None:
        self.tolerance = tolerance
        self.points: list[list[float]] = []
        self._peak = 0.0
        # Range of slopes allowed for a line from the last corner.
        self._slopes: tuple[float, float] = (-math.inf, math.inf)

    def add(self, x: float, y: float) -> None:
        """Add a point, with ``x`` greater than that of the last one."""
        self._peak = max(self._peak, abs(y))
        if len(self.points) < 2:
            self.points.append([x, y])
            self._slopes = self._allowed(x, y) if len(self.points) == 2 else self._slopes
            return
        (x0, y0), low, high = self.points[-2], *self._slopes
        if low <= (y - y0) / (x - x0) <= high:
            new_low, new_high = self._allowed(x, y)
            self._slopes = max(low, new_low), min(high, new_high)
            self.points[-1] = [x, y]
        else:
            self.points.append([x, y])
            self._slopes = self._allowed(x, y)

    def _allowed(self, x: float, y: float) -> tuple[float, float]:
        x0, y0 = self.points[-2]
        margin = self.tolerance * self._peak
        return (y - margin - y0) / (x - x0), (y + margin - y0) / (x - x0)

    def state_dict(self) -> dict[str, Any]:
        """The state, as plain data."""
        return {
            'points': [list(point) for point in self.points],
            'peak': self._peak,
            'slopes': list(self._slopes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.points = [list(point) for point in state['points']]
        self._peak = state['peak']
        low, high = state['slopes']
        self._slopes = low, high
