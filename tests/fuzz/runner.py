"""Run cases in processes that are replaced where they hang or die."""

from __future__ import annotations

import collections
import importlib
import multiprocessing
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .cases import Case, limited_memory, outcome

GROUPS = {  # modules, and what their kinds begin with
    'teachers': ('teacher',),
    'run_files': ('run file', 'study'),
    'coco': ('COCO',),
    'options': ('option',),
}
HANGS = 60  # seconds without a result after which a process is ended


def generated(seed: int, only: str = '') -> Iterator[Case]:
    """All cases, in a fixed order."""
    for name, prefixes in GROUPS.items():
        if any(prefix.startswith(only) or only.startswith(prefix) for prefix in prefixes):
            group = importlib.import_module(f'.{name}', __package__)
            yield from (case for case in group.all_cases(seed) if case.kind.startswith(only))


def sampled(seed: int, count: int) -> list[Case]:
    """About ``count`` cases, as many of each kind as there are."""
    by_kind = collections.defaultdict(list)
    for case in generated(seed):
        by_kind[case.kind].append(case)
    rng = random.Random(seed)
    share = max(1, count // len(by_kind))
    return [
        case for cases in by_kind.values() for case in rng.sample(cases, min(share, len(cases)))
    ]


def chosen(seed: int, only: str, sample: int) -> list[Case]:
    """The cases of these arguments, the same in every process."""
    return sampled(seed, sample) if sample else list(generated(seed, only))


def run_all(seed: int, only: str, sample: int) -> Iterator[tuple[Case, str]]:
    """Outcome of each case, in a process that is replaced where it hangs or dies."""
    cases = chosen(seed, only, sample)
    context = multiprocessing.get_context('spawn')
    start = 0
    while start < len(cases):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(seed, only, sample, start, writer))
        process.start()
        writer.close()
        try:
            reader.recv()  # it has imported what it needs
            while start < len(cases):
                if not reader.poll(HANGS):
                    found = 'defect: hangs'
                    break
                found = reader.recv()
                yield cases[start], found
                start += 1
            else:
                process.join()
                return
        except EOFError:
            found = 'defect: the process died'
        process.kill()
        process.join()
        yield cases[start], found
        start += 1


def _work(seed: int, only: str, sample: int, start: int, writer: Any) -> None:
    import torch

    torch.set_num_threads(1)
    cases = chosen(seed, only, sample)
    folder = Path(tempfile.mkdtemp())
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # logs of runs, and what libraries print of damage
        os.dup2(quiet, stream)
    writer.send('ready')
    try:
        with limited_memory():
            for case in cases[start:]:
                inside = folder / 'case'
                inside.mkdir()
                writer.send(outcome(case, inside))
                shutil.rmtree(inside)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
