#!/usr/bin/env python
"""Measure the cost of distillation: time and memory per iteration, relative to the baseline.

    python benchmarks/cost.py [--config CONFIG] [--iterations 60] [--threads 2] [--compile]
        [--json FILE]

Three models are trained in turn on the same batches in one process, so that changes in the
machine's speed affect all of them: the baseline (the plain detector), the student during
distillation, and the student after distillation has ended. The script reports the median and
quartiles of the time ratios per iteration, after warm-up. The time of the hook is included.

With ``--compile``, it compares the baseline and the student during distillation, each without and
with ``compile=True`` in its config: MMEngine compiles the baseline's whole step, and the hook the
student's parts.

The teacher's checkpoint and the training data of the config must exist.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import platform
import statistics
import time
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import HOOKS, MODELS, init_default_scope
from mmengine.runner import Runner

from w2s_mm.core.compiled import compile_parts
from w2s_mm.utils.mm import read_config_file

ROLES = ('baseline', 'distilling', 'closed')
COMPILED = ('baseline', 'distilling', 'baseline compiled', 'distilling compiled')


class TimedModel:
    """A model, its optimizer and, for a student, its hook."""

    def __init__(self, name: str, cfg: Config) -> None:
        role, _, compiled = name.partition(' ')
        model_cfg = copy.deepcopy(cfg.model)
        if role == 'baseline':
            for key in ('teacher', 'distill_head', 'gamma'):
                model_cfg.pop(key, None)
            model_cfg.type = model_cfg.type.removeprefix('W2S')
        torch.manual_seed(0)
        self.model = MODELS.build(model_cfg)
        self.model.init_weights()
        self.model.to('cuda' if torch.cuda.is_available() else 'cpu').train()
        self.optimizer = Runner.build_optim_wrapper(
            SimpleNamespace(model=self.model), copy.deepcopy(cfg.optim_wrapper)
        )
        self.runner = SimpleNamespace(iter=0, message_hub=MessageHub.get_instance(f'cost_{role}'))
        self.hook: Any = None
        if role != 'baseline':
            self.hook = HOOKS.build(cfg.default_hooks.weak_to_strong)
            self.hook._read_heads(self.model)
            # Stay on the plateau of the schedule, whatever its unit.
            self.hook._iters = dict.fromkeys(('iter', 'epoch', 'training'), 1e9)
            self.runner.iter = int(1e9 * (self.hook.schedule.warmup + self.hook.schedule.hold / 2))
        if role == 'distilling':
            self.model.prepare_teacher()
            self.hook._student = self.model
        if role == 'closed':
            self.model.end_distillation()
        if compiled and role == 'baseline':
            self.model.train_step = torch.compile(self.model.train_step)
        elif compiled:
            taps = [tap for head in self.model.distill_heads for tap in head.taps(self.model)]
            compile_parts(self.model, taps)
        self.seconds: list[float] = []

    def step(self, batch: dict[str, Any]) -> None:
        """Run and time one training iteration."""
        batch = copy.deepcopy(batch)
        start = time.perf_counter()
        if self.hook is not None:
            self.hook.before_train_iter(self.runner, 0)
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


def ratios(model: TimedModel, baseline: TimedModel, skip: int) -> list[float]:
    """Time relative to the baseline, for each iteration after the first ``skip``."""
    return [a / b for a, b in zip(model.seconds[skip:], baseline.seconds[skip:], strict=True)]


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', default='w2s_mm::digits/retinanet_student.py')
    parser.add_argument('--iterations', type=int, default=60)
    parser.add_argument('--warmup', type=int, default=8)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--json')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cfg = read_config_file(args.config)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches = [batch for batch, _ in zip(loader, range(8), strict=False)]

    roles = COMPILED if args.compile else ROLES
    by_role = {role: TimedModel(role, cfg) for role in roles}
    total = args.warmup + args.iterations
    for number in range(total):
        # Rotate the order, so that no model always runs after the same one.
        for offset in range(len(roles)):
            by_role[roles[(number + offset) % len(roles)]].step(batches[number % len(batches)])
        if (number + 1) % 10 == 0:
            print(f'Iteration [{number + 1}/{total}]', flush=True)

    baseline = by_role['baseline']
    result: dict[str, Any] = {
        'config': args.config,
        'iterations': args.iterations,
        'threads': args.threads,
        'device': torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        'torch': torch.__version__,
        'baseline_seconds': statistics.median(baseline.seconds[args.warmup :]),
    }
    print(f'\nbaseline: {result["baseline_seconds"]:.4f} s per iteration (median)')
    width = max(map(len, roles))
    memory = {role: peak_bytes(by_role[role], batches[0]) for role in roles}
    for role in roles[1:]:
        low, median, high = statistics.quantiles(ratios(by_role[role], baseline, args.warmup), n=4)
        share = memory[role] / memory['baseline']
        result[role] = {
            'time_ratio': median,
            'time_quartiles': [low, high],
            'peak_memory_ratio': share,
        }
        print(
            f'{role:>{width}}: {median:.3f} x the time (quartiles {low:.3f} to {high:.3f}), '
            f'{share:.4f} x the peak memory of a step'
        )
    result['peak_bytes'] = memory
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(result, file, indent=1)


if __name__ == '__main__':
    main()
