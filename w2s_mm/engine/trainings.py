"""Several trainings in turn or side by side: started, followed, resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from w2s_mm.core.errors import W2SError

ROOT = Path(__file__).parents[2]
_ITERATION = re.compile(
    r'(?:Iter|Epoch)\(train\) +(?:\[ *(\d+)\])?\[ *(\d+)/(\d+)\]'
    r'.*?eta: (\d+ days?, [\d:]+|[\d:]+)'
)
_SAID = ('Distillation ended', 'Weak-to-strong distillation')
_POLL = 0.5  # seconds
_SILENCE = 30.0  # seconds between lines of progress where nobody watches


@dataclass(frozen=True)
class Training:
    """One run of ``tools/train.py``.

    Attributes:
        name: What to call it.
        config: Path of its config.
        seed: Its seed.
        run_dir: Its work directory.
        options: ``--cfg-options`` as on the command line.
    """

    name: str
    config: str
    seed: int
    run_dir: Path
    options: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it has come to its end; TimeToTargetHook says so."""
        told = self.run_dir / 'time_to_target.json'
        return told.is_file() and bool(json.loads(told.read_text())['finished'])

    def command(self) -> list[str]:
        """What to type; one that was interrupted goes on from its last checkpoint."""
        command = [sys.executable, str(ROOT / 'tools/train.py'), self.config]
        command += ['--work-dir', str(self.run_dir), '--seed', str(self.seed)]
        if (self.run_dir / 'last_checkpoint').is_file():
            command.append('--resume')
        return [*command, '--cfg-options', *self.options] if self.options else command


@dataclass
class _Process:
    """A training that runs, and what its log has said so far."""

    training: Training
    process: subprocess.Popen[bytes]
    log: TextIO
    slot: int
    start: float = field(default_factory=time.monotonic)
    left: float | None = None  # seconds, as it says
    step: str = 'starting'
    events: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Read on in the log."""
        for line in self.log.readlines():
            if found := _ITERATION.search(line):
                epoch, done, total, eta = found.groups()
                self.step = f'{f"epoch {epoch}, " if epoch else ""}iteration {done} of {total}'
                self.left = seconds(eta)
            elif any(said in line for said in _SAID):
                self.events.append(line.split(' - INFO - ')[-1].strip())


def run_trainings(
    trainings: Sequence[Training],
    jobs: int = 1,
    check: Callable[[Sequence[Training]], None] = lambda _: None,
) -> None:
    """Run the trainings that are not finished yet, ``jobs`` at a time.

    Args:
        trainings: In the order in which to start them.
        jobs: How many side by side; they share the processors, and take turns on the GPUs.
        check: Called every moment with those that have been started; what it raises ends all.

    Raises:
        W2SError: A training failed; the message has the end of its log.
    """
    waiting = [training for training in trainings if not training.finished]
    started = [training for training in trainings if training.finished]
    if started:
        print(f'{len(started)} of {len(trainings)} trainings are finished already.', flush=True)
    check(started)
    progress = _Progress(len(trainings), len(started), jobs)
    running: list[_Process] = []
    # Ended politely (a batch system does that) it takes its trainings along, as with Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                slot = min(set(range(jobs)) - {each.slot for each in running})
                running.append(_start(waiting.pop(0), slot, jobs))
                started.append(running[-1].training)
            time.sleep(_POLL)
            for each in list(running):
                status = each.process.poll()
                each.read()
                if status is not None:
                    running.remove(each)
                    each.log.close()
                    if status or not each.training.finished:
                        raise _failed(each.training, status)
                    progress.ended(each)
            check(started)
            progress.show(running, len(waiting))
    finally:
        _stop(running)
        signal.signal(signal.SIGTERM, before)


def _start(training: Training, slot: int, jobs: int) -> _Process:
    training.run_dir.mkdir(parents=True, exist_ok=True)
    path = training.run_dir / 'train.log'
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    if jobs > 1:
        environment.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // jobs)))
        gpus = _gpus()
        if gpus > 1 and 'CUDA_VISIBLE_DEVICES' not in os.environ:
            environment['CUDA_VISIBLE_DEVICES'] = str(slot % gpus)
    with path.open('ab') as out:
        # A session of its own: Ctrl-C reaches this process alone, which then ends them in order.
        process = subprocess.Popen(
            training.command(),
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        log = path.open()
        log.seek(out.tell())
    return _Process(training, process, log, slot)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _stop(running: Sequence[_Process]) -> None:
    """End what still runs, workers included."""
    for each in running:
        with suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGTERM)
    for each in running:
        try:
            each.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()
        each.log.close()


def _failed(training: Training, status: int) -> W2SError:
    log = training.run_dir / 'train.log'
    tail = ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-12:])
    if status == 0:
        return W2SError(
            f'{training.name}, seed {training.seed}, ended without saying in time_to_target.json '
            f'that it is finished. The end of {log}:\n{tail}'
        )
    return W2SError(
        f'{training.name}, seed {training.seed}, failed (exit status {status}). The end of {log}:\n'
        f'{tail}Once that is mended, type the same again: what is finished is kept.'
    )


class _Progress:
    """Says what runs and how long it will take: one line that moves, or a line now and then."""

    def __init__(self, total: int, done: int, jobs: int) -> None:
        self.total, self.done, self.jobs = total, done, jobs
        self.durations: list[float] = []
        self._last = 0.0
        self._width = 0

    def ended(self, each: _Process) -> None:
        """A training has come to its end."""
        self.done += 1
        took = time.monotonic() - each.start
        self.durations.append(took)
        self._say_events(each)
        self._line(f'[{self.done}/{self.total}] {_named(each)}: finished in {duration(took)}')

    def show(self, running: Sequence[_Process], waiting: int) -> None:
        """What runs now."""
        for each in running:
            self._say_events(each)
        live = sys.stdout.isatty()
        now = time.monotonic()
        if not running or (not live and now - self._last < _SILENCE):
            return
        self._last = now
        rest = self.remaining([(now - each.start, each.left) for each in running], waiting)
        parts = [f'{_named(each)}: {each.step}' for each in running]
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

    def _say_events(self, each: _Process) -> None:
        for event in each.events:
            self._line(f'      {_named(each)}: {event}')
        each.events.clear()

    def _line(self, text: str) -> None:
        print(f'\r{text:<{self._width}}' if sys.stdout.isatty() else text, flush=True)


def _named(each: _Process) -> str:
    return f'{each.training.name}, seed {each.training.seed}'


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


def options_of(given: dict[str, Any]) -> tuple[str, ...]:
    """Parsed ``--cfg-options`` as they are typed."""
    return tuple(f'{key}={_typed(value)}' for key, value in given.items())


def _typed(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        inside = ','.join(map(_typed, value))
        return f'[{inside}]' if isinstance(value, list) else f'({inside})'
    return str(value)
