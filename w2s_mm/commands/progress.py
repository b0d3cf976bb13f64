"""How far several trainings are, from their logs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

ITERATION = re.compile(
    r'(?:Iter|Epoch)\(train\) +(?:\[ *(\d+)\])?\[ *(\d+)/(\d+)\]'
    r'.*?eta: (\d+ days?, [\d:]+|[\d:]+)'
)
_SAID = ('Distillation ended', 'Weak-to-strong distillation')
_SILENCE = 30.0  # seconds between lines of progress where nobody watches


@dataclass(eq=False)
class Process:
    """A training that runs, and what its log has said so far.

    Attributes:
        name: What to call it.
        process: The process itself.
        log: Its log, open for reading on.
        slot: Which of the places side by side it has.
        start: When it began.
        left: Seconds that it still needs: what it says, which leaves validations out, times how
            much slower than that it has been so far.
        step: Where it says it is.
        events: What it said that a user wants to know.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: TextIO
    slot: int
    start: float = field(default_factory=time.monotonic)
    left: float | None = None
    step: str = 'starting'
    events: list[str] = field(default_factory=list)
    _first: tuple[float, float] | None = None  # when it first said how long, and how long

    def read(self) -> None:
        """Read on in the log."""
        for line in self.log.readlines():
            if found := ITERATION.search(line):
                epoch, done, total, eta = found.groups()
                self.step = f'{f"epoch {epoch}, " if epoch else ""}iteration {done} of {total}'
                self.left = self._with_validations(seconds(eta))
            elif any(said in line for said in _SAID):
                self.events.append(line.split(' - INFO - ')[-1].strip())

    def _with_validations(self, eta: float) -> float:
        now = time.monotonic()
        if self._first is None:
            self._first = now, eta
        passed, gone = now - self._first[0], self._first[1] - eta
        return eta * max(1.0, passed / gone) if gone > 0 else eta


class Progress:
    """Says what runs and how long it will take: one line that moves, or a line now and then."""

    def __init__(self, total: int, done: int, jobs: int) -> None:
        self.total, self.done, self.jobs = total, done, jobs
        self.durations: list[float] = []
        self._last = 0.0
        self._width = 0

    def ended(self, each: Process) -> None:
        """A training has come to its end."""
        self.done += 1
        took = time.monotonic() - each.start
        self.durations.append(took)
        self._say_events(each)
        self._line(f'[{self.done}/{self.total}] {each.name}: finished in {duration(took)}')

    def show(self, running: Sequence[Process], waiting: int) -> None:
        """What runs now."""
        for each in running:
            self._say_events(each)
        live = sys.stdout.isatty()
        now = time.monotonic()
        if not running or (not live and now - self._last < _SILENCE):
            return
        self._last = now
        rest = self.remaining([(now - each.start, each.left) for each in running], waiting)
        parts = [f'{each.name}: {each.step}' for each in running]
        text = f'[{self.done}/{self.total}] {"; ".join(parts)}'
        text += '' if rest is None else f'; about {duration(rest)} left in all'
        if live:
            print(f'\r{text[:118]:<{self._width}}', end='', flush=True)
            self._width = min(len(text), 118)
        else:
            print(text, flush=True)

    def remaining(
        self, running: Sequence[tuple[float, float | None]], waiting: int
    ) -> float | None:
        """Seconds until all is done, None while there is nothing to go by.

        Args:
            running: For each that runs, the seconds since its start and those left, if it said so.
            waiting: How many have not begun; they are taken to last as long as the others.
        """
        known = [left for _, left in running if left is not None]
        lengths = [*self.durations, *(past + left for past, left in running if left is not None)]
        if not lengths:
            return None
        mean = sum(lengths) / len(lengths)
        now = sum(known) + sum(max(0.0, mean - past) for past, left in running if left is None)
        return max([(now + waiting * mean) / self.jobs, *known])

    def _say_events(self, each: Process) -> None:
        for event in each.events:
            self._line(f'      {each.name}: {event}')
        each.events.clear()

    def _line(self, text: str) -> None:
        print(f'\r{text:<{self._width}}' if sys.stdout.isatty() else text, flush=True)


def seconds(eta: str) -> float:
    """MMEngine's ``1 day, 0:01:40`` as a number."""
    days, _, clock = eta.rpartition(' day')
    hours, minutes, rest = (clock.split()[-1] if days else clock).split(':')
    return 86400.0 * int(days or 0) + 3600 * int(hours) + 60 * int(minutes) + float(rest)


def duration(seconds: float) -> str:
    """A time for a reader: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 6000 else f'{seconds / 3600:.1f} h'
