#!/usr/bin/env python
"""Check that a long run needs no more memory, open files or disk than a short one.

    python benchmarks/long_run.py [--iterations 20000] [--json FILE]

Trains a tiny student with a tiny teacher, with every hook of this package, and samples after each
validation: resident memory, Python objects, open file descriptors, and the size of each file in
the work directory. Files that are appended to may grow in proportion to the iterations; the bytes
of each are given per iteration, or per validation where a validation writes them.

MMEngine keeps every logged scalar of a run, 16 bytes each, in memory and in its checkpoints. The
script gives this part on its own, and the share of it that this package adds.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.hooks.toy import make_config, make_teacher
from w2s_mm.utils import run_files

EVERY = 20  # validations in the run


class Samples(Hook):
    """What the process and its files need, after each validation."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self._start = time.perf_counter()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Take a sample."""
        gc.collect()
        scalars = runner.message_hub.log_scalars
        lengths = {name: len(buffer.data[0]) for name, buffer in scalars.items()}
        work_dir = Path(runner.work_dir)
        self.seen.append(
            {
                'iter': runner.iter,
                'resident': _resident(),
                'objects': len(gc.get_objects()),
                'descriptors': len(os.listdir('/proc/self/fd')),
                'scalars': 16 * sum(lengths.values()),
                'our_scalars': 16
                * sum(n for name, n in lengths.items() if 'distill' in name or 'grad_' in name),
                'files': {
                    path.relative_to(work_dir).as_posix(): path.stat().st_size
                    for path in work_dir.rglob('*')
                    if path.is_file()
                },
                'seconds': time.perf_counter() - self._start,
            }
        )


def _resident() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def train(folder: Path, iterations: int) -> list[dict[str, Any]]:
    """Train for so many iterations, and return the samples."""
    interval = iterations // EVERY
    config = make_config(
        folder / 'run',
        make_teacher(folder),
        by_epoch=False,
        schedule=dict(unit='training', lambda_max=1.0, warmup=0.1, hold=0.6, decay=0.3),
        hook=dict(stop=dict(type='NeverStop')),
        model=dict(distill_head=[dict(type='ToyDistillHead'), dict(type='ToyFeatureHead')]),
    )
    hooks = config.default_hooks
    config.optim_wrapper.optimizer.lr = 1e-3
    hooks.weak_to_strong.temperature = 2.0
    config.train_cfg.update(max_iters=iterations, val_interval=interval)
    hooks.logger.interval = 100
    hooks.checkpoint.update(interval=interval, max_keep_ckpts=1)
    hooks.gradient_norms = dict(type='GradientNormHook', interval=10)
    hooks.run_record = dict(type='RunRecordHook')
    runner = Runner.from_cfg(config)
    runner.register_hook(samples := Samples())
    runner.train()
    return samples.seen


def summary(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Growth between a quarter of the run and its end.

    Returns:
        Bytes of memory, objects and descriptors at both, and the growth of each file in bytes per
        iteration; MMEngine's scalars apart.
    """
    first, last = samples[len(samples) // 4], samples[-1]
    span = last['iter'] - first['iter']
    grown = {}
    for name, size in last['files'].items():
        kind = 'checkpoint' if name.endswith('.pth') else name.split('/')[-1]
        kind = 'MMEngine log' if kind.endswith('.log') else kind
        before = [
            old
            for other, old in first['files'].items()
            if other == name or (kind == 'checkpoint' and other.endswith('.pth'))
        ]
        grown[kind] = (size - before[0]) / span if before else size / span
    return {
        'iterations': last['iter'],
        'between': [first['iter'], last['iter']],
        'resident_bytes': [first['resident'], last['resident']],
        'resident_bytes_without_scalars': [s['resident'] - s['scalars'] for s in (first, last)],
        'scalar_bytes': [first['scalars'], last['scalars']],
        'our_scalar_bytes': [first['our_scalars'], last['our_scalars']],
        'objects': [first['objects'], last['objects']],
        'descriptors': [first['descriptors'], last['descriptors']],
        'file_bytes_per_iteration': dict(sorted(grown.items())),
        'last_sizes': {
            name: last['files'][name]
            for name in (
                run_files.TIME_TO_TARGET,
                run_files.WEAK_TO_STRONG,
                run_files.GRADIENT_NORMS,
                run_files.RECORD,
                run_files.TEACHER_REFERENCE,
            )
            if name in last['files']
        },
        'seconds': last['seconds'],
    }


def main() -> None:
    """Train, and print the growth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--iterations', type=int, default=20_000)
    parser.add_argument('--json')
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        found = summary(train(Path(folder), args.iterations))
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        Path(args.json).write_text(text + '\n')


if __name__ == '__main__':
    main()
