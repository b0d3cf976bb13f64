"""Several trainings in turn or side by side: started, followed, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError

from .progress import Process, Progress

ROOT = Path(__file__).parents[2]
_POLL = 0.5  # seconds


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
    progress = Progress(len(trainings), len(started), jobs)
    running: dict[Process, Training] = {}
    # Ended politely (a batch system does that) it takes its trainings along, as with Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                slot = min(set(range(jobs)) - {each.slot for each in running})
                started.append(waiting.pop(0))
                running[_start(started[-1], slot, jobs)] = started[-1]
            time.sleep(_POLL)
            for each in list(running):
                status = each.process.poll()
                each.read()
                if status is not None:
                    training = running.pop(each)
                    each.log.close()
                    if status or not training.finished:
                        raise _failed(training, status)
                    progress.ended(each)
            check(started)
            progress.show(list(running), len(waiting))
    finally:
        _stop(list(running))
        signal.signal(signal.SIGTERM, before)


def _start(training: Training, slot: int, jobs: int) -> Process:
    training.run_dir.mkdir(parents=True, exist_ok=True)
    path = training.run_dir / 'train.log'
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    if jobs > 1:
        environment.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // jobs)))
        gpus = _gpus()
        if gpus > 1 and 'CUDA_VISIBLE_DEVICES' not in os.environ:
            environment['CUDA_VISIBLE_DEVICES'] = str(slot % gpus)
    with path.open('ab') as out:
        # A process group of its own: Ctrl-C reaches this process alone, which ends them in order.
        process = subprocess.Popen(
            training.command(),
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        log = path.open()
        log.seek(out.tell())
    return Process(f'{training.name}, seed {training.seed}', process, log, slot)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _stop(running: Sequence[Process]) -> None:
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


def options_of(given: dict[str, Any]) -> tuple[str, ...]:
    """Parsed ``--cfg-options`` as they are typed."""
    return tuple(f'{key}={_typed(value)}' for key, value in given.items())


def _typed(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        inside = ','.join(map(_typed, value))
        return f'[{inside}]' if isinstance(value, list) else f'({inside})'
    return str(value)
