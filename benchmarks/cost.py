#!/usr/bin/env python
"""Measure the cost of distillation: time and memory per iteration, relative to the baseline.

    python benchmarks/cost.py                                # all pairs, minutes each
    python benchmarks/cost.py gfl_r34_to_r50 --teacher dtype=bfloat16
    python benchmarks/cost.py --config w2s_mm::digits/retinanet_student.py --compile

The pairs of ``pairs.py`` have random images and weights, and need nothing. With ``--config``, the
teacher's checkpoint and the training data of the config must exist.

These are trained in turn on the same batches in one process, so that changes in the machine's speed
affect all of them: the baseline (the plain model); the student while it asks its teacher; where its
answers can be remembered, the student that finds all of them; the student after distillation has
ended; and for GFL, MMDetection's own distiller. The script reports the median and the quartiles of
the time ratios per iteration, after warm-up, and the peak memory of a step.

With ``--compile``, it compares the baseline and the student while it asks its teacher, each without
and with ``compile=True``: MMEngine compiles the baseline's whole step, and the hook the student's
parts.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, DefaultScope
from pairs import PAIRS, Pair, from_config
from torch import nn

from w2s_mm.core.compiled import compile_parts

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
COMPILED = ('baseline', 'asking', 'baseline compiled', 'asking compiled')


class _Wrapper(OptimWrapper):
    """MMEngine's, with autocast on any device and without a loss scale."""

    def __init__(self, optimizer: torch.optim.Optimizer, amp: str | None) -> None:
        super().__init__(optimizer)
        self.amp = amp

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        kind = getattr(torch, self.amp) if self.amp else None
        with super().optim_context(model), torch.autocast(DEVICE, kind, enabled=bool(self.amp)):
            yield


class TimedModel:
    """A model and its optimizer, with the seconds of its steps."""

    def __init__(self, role: str, pair: Pair, teacher: dict[str, Any], amp: str | None) -> None:
        kind, _, compiled = role.partition(' ')
        config = copy.deepcopy(
            {'baseline': pair.baseline, 'peer': pair.peer}.get(kind, pair.student)
        )
        assert config is not None
        self.folder = tempfile.TemporaryDirectory()
        if kind in ('asking', 'remembering', 'closed'):
            config['teacher'].update(teacher)
        if kind == 'remembering':
            config['teacher']['remember'] = self.folder.name
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope(pair.scope):
            self.model = MODELS.build(ConfigDict(config))
        self.model.init_weights()
        self.model.to(DEVICE).train()
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-5, momentum=0.9)
        self.optimizer = _Wrapper(optimizer, amp)
        if kind in ('asking', 'remembering'):
            self.model.prepare_teacher()
            self.model.set_distillation(weight=1.0, temperature=2.0)
        if kind == 'closed':
            self.model.end_distillation()
        if compiled and kind == 'baseline':
            self.model.train_step = torch.compile(self.model.train_step)
        elif compiled:
            taps = [tap for head in self.model.distill_heads for tap in head.taps(self.model)]
            compile_parts(self.model, taps)
        self.seconds: list[float] = []

    def step(self, batch: dict[str, Any]) -> None:
        """Run and time one training iteration."""
        batch = copy.deepcopy(batch)
        start = time.perf_counter()
        self.model.train_step(batch, self.optimizer)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - start)


def peak_bytes(model: TimedModel, batch: dict[str, Any]) -> int:
    """Peak memory allocated during one step, in bytes, without what was allocated before."""
    gc.collect()
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        model.step(batch)
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        model.step(batch)
    allocated = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == '[memory]':
            allocated += event.nbytes()
            peak = max(peak, allocated)
    return peak


def measure(name: str, pair: Pair, args: argparse.Namespace) -> dict[str, Any]:
    """Time all roles of a pair, and print the table."""
    roles: tuple[str, ...] = COMPILED
    if not args.compile:
        roles = ('baseline', 'asking', *['remembering'] * pair.remembers, 'closed')
        roles += ('peer',) if pair.peer else ()
    models = {role: TimedModel(role, pair, args.teacher, args.amp) for role in roles}
    # Every batch once, so that all answers can be remembered.
    warmup = max(args.warmup, len(pair.batches))
    total = warmup + args.iterations
    for number in range(total):
        # Rotate the order, so that no model always runs after the same one.
        for offset in range(len(roles)):
            role = roles[(number + offset) % len(roles)]
            models[role].step(pair.batches[number % len(pair.batches)])
        if (number + 1) % 10 == 0:
            print(f'{name} [{number + 1}/{total}]', flush=True)

    base = models['baseline'].seconds[warmup:]
    result: dict[str, Any] = {'baseline_seconds': statistics.median(base)}
    print(f'\n{name}: the baseline takes {result["baseline_seconds"]:.4f} s (median)')
    memory = {role: peak_bytes(models[role], pair.batches[0]) for role in roles}
    for role in roles[1:]:
        ratios = [a / b for a, b in zip(models[role].seconds[warmup:], base, strict=False)]
        low, median, high = statistics.quantiles(ratios, n=4)
        share = memory[role] / memory['baseline']
        result[role] = {'time': median, 'quartiles': [low, high], 'peak_memory': share}
        print(
            f'{role:>{max(map(len, roles))}}: {median:.3f} x the time '
            f'({low:.3f} to {high:.3f}), {share:.3f} x the peak memory of a step'
        )
    result['peak_bytes'] = memory
    return result


def _setting(text: str) -> tuple[str, Any]:
    key, _, value = text.partition('=')
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pairs', nargs='*', metavar='PAIR', help=f'of {", ".join(PAIRS)}')
    parser.add_argument('--config', help='measure the pair of this config')
    parser.add_argument('--iterations', type=int, default=40)
    parser.add_argument('--warmup', type=int, default=4)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--amp', choices=['bfloat16', 'float16'], help='of the whole step')
    parser.add_argument(
        '--teacher', nargs='+', type=_setting, default=[], metavar='KEY=VALUE', help='arguments'
    )
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--json')
    args = parser.parse_args()
    args.teacher = dict(args.teacher)
    torch.set_num_threads(args.threads)
    unknown = sorted({*args.pairs} - {*PAIRS})
    if unknown:
        parser.error(f'unknown: {", ".join(unknown)}; expected some of {", ".join(PAIRS)}')
    result: dict[str, Any] = {
        'iterations': args.iterations,
        'threads': args.threads,
        'device': torch.cuda.get_device_name() if DEVICE == 'cuda' else platform.machine(),
        'torch': torch.__version__,
        'amp': args.amp,
        'teacher': args.teacher,
    }
    makers = {args.config: lambda: from_config(args.config)} if args.config else PAIRS
    for name in args.pairs or makers:
        result[name] = measure(name, makers[name](), args)
        if args.json:
            with open(args.json, 'w') as file:
                json.dump(result, file, indent=1)


if __name__ == '__main__':
    main()
