"""Progress of several runs, read from their logs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

ITERATION = re.compile(
    r'(?:Iter|Epoch)\(train\) +(?:\[ *(\d+)\])?\[ *(\d+)/(\d+)\]'
    r'.*?eta: (\d+ days?, [\d:]+|[\d:]+)'
)
_EVENTS = ('Distillation ended', 'Weak-to-strong distillation')
_INTERVAL = 30.0  # seconds between lines of progress that go to a file


@dataclass(eq=False)
class Process:
    """A process that trains, and what its log has so far.

    Attributes:
        name: Its name in messages.
        process: The process itself.
        log: Its log, open for reading in binary mode.
        slot: Its number among those that run in parallel.
        start: When it was started.
        left: Seconds that it still needs: the time that it logs, which leaves validations out,
            times how much slower than that it has been so far.
        step: The iteration that it has reached.
        events: Lines of the log that are to be shown.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: BinaryIO
    slot: int
    start: float = field(default_factory=time.monotonic)
    left: float | None = None
    step: str = 'starting'
    events: list[str] = field(default_factory=list)
    _first: tuple[float, float] | None = None  # when a time left was first logged, and that time
    _rest: bytes = b''  # the start of a line that is not complete yet

    def read(self) -> None:
        """Read the log from where it was read last, up to its last complete line."""
        *lines, self._rest = (self._rest + self.log.read()).split(b'\n')
        for line in (each.decode(errors='replace') for each in lines):
            if found := ITERATION.search(line):
                epoch, done, total, eta = found.groups()
                self.step = f'{f"epoch {epoch}, " if epoch else ""}iteration {done} of {total}'
                self.left = self._with_validations(seconds(eta))
            elif any(event in line for event in _EVENTS):
                self.events.append(line.split(' - INFO - ')[-1].strip())

    def _with_validations(self, eta: float) -> float:
        now = time.monotonic()
        if self._first is None:
            self._first = now, eta
        passed, gone = now - self._first[0], self._first[1] - eta
        return eta * max(1.0, passed / gone) if gone > 0 else eta


class Progress:
    """Shows what runs and how long it will take.

    One line that is overwritten on a terminal, otherwise a line every :data:`_INTERVAL` seconds.

    Args:
        total: Number of runs.
        done: How many were finished before.
        jobs: How many run in parallel.
    """

    def __init__(self, total: int, done: int, jobs: int) -> None:
        self.total, self.done, self.jobs = total, done, jobs
        self.durations: list[float] = []
        self._last = 0.0
        self._width = 0

    def ended(self, each: Process) -> None:
        """Show that a run is finished."""
        self.done += 1
        took = time.monotonic() - each.start
        self.durations.append(took)
        self._show_events(each)
        self._line(f'[{self.done}/{self.total}] {each.name}: finished in {duration(took)}')

    def show(self, running: Sequence[Process], waiting: int) -> None:
        """Show what runs now, and how many runs have not been started."""
        for each in running:
            self._show_events(each)
        live = sys.stdout.isatty()
        now = time.monotonic()
        if not running or (not live and now - self._last < _INTERVAL):
            return
        self._last = now
        rest = self.remaining([(now - each.start, each.left) for each in running], waiting)
        parts = [f'{each.name}: {each.step}' for each in running]
        text = f'[{self.done}/{self.total}] {"; ".join(parts)}'
        text += '' if rest is None else f'; about {duration(rest)} left'
        if live:
            print(f'\r{text[:118]:<{self._width}}', end='', flush=True)
            self._width = min(len(text), 118)
        else:
            print(text, flush=True)

    def remaining(
        self, running: Sequence[tuple[float, float | None]], waiting: int
    ) -> float | None:
        """Seconds until all runs are finished, None while they cannot be estimated.

        Args:
            running: For each that runs, the seconds since its start and those left, if known.
            waiting: How many have not been started; they are assumed to take as long as the others.
        """
        known = [left for _, left in running if left is not None]
        lengths = [*self.durations, *(past + left for past, left in running if left is not None)]
        if not lengths:
            return None
        mean = sum(lengths) / len(lengths)
        now = sum(known) + sum(max(0.0, mean - past) for past, left in running if left is None)
        return max([(now + waiting * mean) / self.jobs, *known])

    def _show_events(self, each: Process) -> None:
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


def counter(what: str) -> Callable[[int, int], None]:
    """A function that shows how many of a total are done: often on a terminal, rarely in a file.

    Args:
        what: What is counted, such as ``'digit scenes'``.
    """

    def show(done: int, total: int) -> None:
        live = sys.stderr.isatty()
        if done == total or done % (20 if live else 400) == 0:
            end = '\r' if live and done < total else '\n'
            print(f'{what}: {done} of {total} written', end=end, file=sys.stderr, flush=True)

    return show
