"""A curve kept as the few points that its straight pieces need."""

from __future__ import annotations

import math
from typing import Any


class Polyline:
    """Points of a curve that arrives one by one; those that a straight line gives are dropped.

    What is dropped is off the line between its neighbours by at most ``tolerance`` times the
    greatest value so far.

    Args:
        tolerance: Relative.

    Attributes:
        points: ``[x, y]`` of each corner, and of the last point.
    """

    def __init__(self, tolerance: float = 1e-3) -> None:
        self.tolerance = tolerance
        self.points: list[list[float]] = []
        self._peak = 0.0
        self._slopes: tuple[float, float] = (
            -math.inf,
            math.inf,
        )  # that a line from the last corner may have

    def add(self, x: float, y: float) -> None:
        """Add a point; ``x`` grows from one to the next."""
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
        """Everything that continuing needs."""
        return {
            'points': [list(point) for point in self.points],
            'peak': self._peak,
            'slopes': list(self._slopes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self.points = [list(point) for point in state['points']]
        self._peak = state['peak']
        low, high = state['slopes']
        self._slopes = low, high
