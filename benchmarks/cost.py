#!/usr/bin/env python
"""What distillation costs: seconds an iteration and memory, as ratios to the baseline.

    python benchmarks/cost.py [--config CONFIG] [--iterations 60] [--threads 2] [--json FILE]

Three models train side by side in one process on the same batches, in turn, so that a drift of
the machine's speed reaches all alike: the baseline (the plain detector), the student while
distilling, and the student after its gate has closed. Each figure is the median of the ratios
iteration by iteration, after warm-up, with its quartiles. The hook's own work is included.
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

ROLES = ('baseline', 'distilling', 'closed')


class Contestant:
    """A model, its optimizer and, for a student, its hook."""

    def __init__(self, role: str, cfg: Config) -> None:
        self.role = role
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
            self.hook._iters_per_unit = 1e9  # stay where the weight is held
            self.runner.iter = int(1e9 * (self.hook.schedule.warmup + self.hook.schedule.hold / 2))
        if role == 'distilling':
            self.model.prepare_teacher()
            self.hook._student = self.model
        if role == 'closed':
            self.model.teacher.release()
        self.seconds: list[float] = []

    def step(self, batch: dict[str, Any]) -> None:
        """One training iteration, timed."""
        batch = copy.deepcopy(batch)
        start = time.perf_counter()
        if self.hook is not None:
            self.hook.before_train_iter(self.runner, 0)
        self.model.train_step(batch, self.optimizer)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - start)


def peak_bytes(contestant: Contestant, batch: dict[str, Any]) -> int:
    """Peak of what one step allocates, beyond what was there before it."""
    gc.collect()
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        contestant.step(batch)
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        contestant.step(batch)
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == '[memory]':
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def ratios(contestant: Contestant, baseline: Contestant, skip: int) -> list[float]:
    """Iteration by iteration."""
    return [a / b for a, b in zip(contestant.seconds[skip:], baseline.seconds[skip:], strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', default='configs/digits/retinanet_student.py')
    parser.add_argument('--iterations', type=int, default=60)
    parser.add_argument('--warmup', type=int, default=8)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--json')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches = [batch for batch, _ in zip(loader, range(8), strict=False)]

    by_role = {role: Contestant(role, cfg) for role in ROLES}
    total = args.warmup + args.iterations
    for number in range(total):
        # The order rotates: nobody always runs on the cache another has just emptied.
        for offset in range(len(ROLES)):
            by_role[ROLES[(number + offset) % len(ROLES)]].step(batches[number % len(batches)])
        if (number + 1) % 10 == 0:
            print(f'iteration {number + 1} of {total}', flush=True)

    baseline = by_role['baseline']
    result: dict[str, Any] = {
        'config': args.config,
        'iterations': args.iterations,
        'threads': args.threads,
        'device': torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        'torch': torch.__version__,
        'baseline_seconds': statistics.median(baseline.seconds[args.warmup :]),
    }
    print(f'\nbaseline: {result["baseline_seconds"]:.4f} s an iteration (median)')
    memory = {role: peak_bytes(by_role[role], batches[0]) for role in ROLES}
    for role in ROLES[1:]:
        low, median, high = statistics.quantiles(ratios(by_role[role], baseline, args.warmup), n=4)
        share = memory[role] / memory['baseline']
        result[role] = {
            'time_ratio': median,
            'time_quartiles': [low, high],
            'peak_memory_ratio': share,
        }
        print(
            f'{role:>10}: {median:.3f} of its time (quartiles {low:.3f} to {high:.3f}), '
            f'{share:.4f} of its peak memory in a step'
        )
    result['peak_bytes'] = memory
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(result, file, indent=1)


if __name__ == '__main__':
    main()
