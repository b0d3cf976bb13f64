"""Several runs of ``w2s train``, one after another or in parallel: started, watched, resumed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import read_json
from w2s_mm.utils.run_files import (
    LAST_CHECKPOINT,
    RECORD,
    TIME_TO_TARGET,
    WEAK_TO_STRONG,
    checked,
)

from .progress import Process, Progress

LOG = 'train.log'  # what a run prints, in its work directory
_POLL = 0.5  # seconds


@dataclass(frozen=True)
class Launch:
    """How runs are started.

    Attributes:
        jobs: How many run in parallel; they share the processors, and are spread over the GPUs.
        launcher: ``'none'``: one process a run; ``'pytorch'``: torchrun on this machine;
            ``'slurm'``: srun, with the arguments in the environment variable ``SRUN_ARGS``.
        gpus_per_run: Processes of a run, one a GPU; without an accelerator they are CPU processes.
        gpus_per_node: GPUs of a machine under Slurm.
    """

    jobs: int = 1
    launcher: Literal['none', 'pytorch', 'slurm'] = 'none'
    gpus_per_run: int = 1
    gpus_per_node: int = 8

    def prefix(self, name: str) -> list[str]:
        """What comes before ``-m w2s_mm train ...`` on the command line."""
        if self.launcher == 'pytorch':
            # A free port, so that several runs fit on one machine.
            rendezvous = ['--rdzv-backend=c10d', '--rdzv-endpoint=localhost:0']
            processes = f'--nproc-per-node={self.gpus_per_run}'
            return [sys.executable, '-m', 'torch.distributed.run', *rendezvous, processes]
        if self.launcher == 'slurm':
            on_node = min(self.gpus_per_run, self.gpus_per_node)
            options = [f'--job-name={name}', f'--gres=gpu:{on_node}']
            options += [f'--ntasks={self.gpus_per_run}', f'--ntasks-per-node={on_node}']
            given = shlex.split(os.environ.get('SRUN_ARGS', ''))
            return ['srun', *options, '--kill-on-bad-exit=1', *given, sys.executable]
        return [sys.executable]


DEFAULT = Launch()


@dataclass(frozen=True)
class PlannedRun:
    """One run of ``w2s train``.

    Attributes:
        name: Its name in messages.
        config: Path or name of its config.
        seed: Its seed.
        run_dir: Its work directory.
        options: ``--cfg-options`` as on the command line.
        budget: ``--budget`` as on the command line.
    """

    name: str
    config: str
    seed: int
    run_dir: Path
    options: tuple[str, ...] = ()
    budget: float = 1.0

    @property
    def finished(self) -> bool:
        """Whether it is complete, according to the files that its hooks wrote."""
        paths = (self.run_dir / name for name in (TIME_TO_TARGET, WEAK_TO_STRONG, RECORD))
        files = {path.name: read_json(path) for path in paths if path.is_file()}
        if TIME_TO_TARGET not in files or any(content is None for content in files.values()):
            return False  # one that was cut short is written again by a resumed run
        for name, content in files.items():
            checked(content, name, self.run_dir / name)
        return bool(files[TIME_TO_TARGET]['finished'])

    def command(self, launch: Launch = DEFAULT) -> list[str]:
        """The command that starts it, or continues it from its last checkpoint."""
        command = [*launch.prefix(self.name), '-m', 'w2s_mm', 'train', self.config]
        command += ['--work-dir', str(self.run_dir), '--seed', str(self.seed)]
        if launch.launcher != 'none':
            command += ['--launcher', launch.launcher]
        if self.budget != 1:
            command += ['--budget', f'{self.budget:g}']
        if (self.run_dir / LAST_CHECKPOINT).is_file():
            command.append('--resume')
        return [*command, '--cfg-options', *self.options] if self.options else command


def run_all(
    plan: Sequence[PlannedRun],
    launch: Launch = DEFAULT,
    check: Callable[[Sequence[PlannedRun]], None] = lambda _: None,
) -> None:
    """Run what is not finished yet.

    Args:
        plan: The runs, in the order in which to start them.
        launch: How many in parallel, and on how many GPUs each.
        check: Called again and again with the runs started so far; what it raises stops all.

    Raises:
        W2SError: A run failed; the message has the end of its log.
    """
    jobs = launch.jobs
    if launch.launcher == 'pytorch' and 0 < _gpus() < launch.gpus_per_run:
        raise W2SError(
            f'{launch.gpus_per_run} GPUs a run, and this machine has {_gpus()}. Choose fewer, or '
            f'--launcher slurm.'
        )
    waiting = [each for each in plan if not each.finished]
    started = [each for each in plan if each.finished]
    if started:
        print(f'{len(started)} of {len(plan)} runs are finished already.', flush=True)
    check(started)
    progress = Progress(len(plan), len(started), jobs)
    running: dict[Process, PlannedRun] = {}
    # A batch system ends a job by SIGTERM: stop the runs then, as with Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                slot = min(set(range(jobs)) - {each.slot for each in running})
                started.append(waiting.pop(0))
                running[_start(started[-1], slot, launch)] = started[-1]
            time.sleep(_POLL)
            for each in list(running):
                status = each.process.poll()
                each.read()
                if status is not None:
                    run = running.pop(each)
                    each.log.close()
                    if status or not run.finished:
                        raise _failed(run, status)
                    progress.ended(each)
            check(started)
            progress.show(list(running), len(waiting))
    finally:
        _stop(list(running))
        signal.signal(signal.SIGTERM, before)


def _start(run: PlannedRun, slot: int, launch: Launch) -> Process:
    run.run_dir.mkdir(parents=True, exist_ok=True)
    path = run.run_dir / LOG
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    processes = launch.jobs * launch.gpus_per_run
    if processes > 1 and launch.launcher != 'slurm':
        environment.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // processes)))
        gpus = _gpus()
        if gpus > 1 and 'CUDA_VISIBLE_DEVICES' not in os.environ:
            first = slot * launch.gpus_per_run
            mine = [str(gpu % gpus) for gpu in range(first, first + launch.gpus_per_run)]
            environment['CUDA_VISIBLE_DEVICES'] = ','.join(mine)
    with path.open('ab') as out:
        # Before the process starts: it shares this file's position, and may write at once.
        begin = out.tell()
        # A process group of its own: Ctrl-C reaches this process alone, which stops the runs.
        process = subprocess.Popen(
            run.command(launch),
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    log = path.open('rb')
    log.seek(begin)
    return Process(f'{run.name}, seed {run.seed}', process, log, slot)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _stop(running: Sequence[Process]) -> None:
    """Stop what still runs, workers included."""
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


def _failed(run: PlannedRun, status: int) -> W2SError:
    log = run.run_dir / LOG
    tail = ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-12:])
    if status == 0:
        return W2SError(
            f'{run.name}, seed {run.seed}, ended, but its {TIME_TO_TARGET} does not say that it is '
            f'finished. The end of {log}:\n{tail}'
        )
    return W2SError(
        f'{run.name}, seed {run.seed}, failed (exit status {status}). The end of {log}:\n{tail}'
        f'Fix the cause, then run the same command again: finished runs are kept.'
    )


def options_of(given: dict[str, Any]) -> tuple[str, ...]:
    """Parsed ``--cfg-options`` as typed on a command line."""
    return tuple(f'{key}={_typed(value)}' for key, value in given.items())


def _typed(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        inside = ','.join(map(_typed, value))
        return f'[{inside}]' if isinstance(value, list) else f'({inside})'
    return str(value)
