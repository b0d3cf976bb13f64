#!/usr/bin/env python
"""Kill training runs at chosen and random moments, resume them, and compare with whole runs.

    python benchmarks/kill_runs.py [--tasks retinanet classifier ddpm] [--random 15] [--json FILE]

Every case is a short run of a digit config. It is killed with SIGKILL at each of its points in turn
(in the middle of writing a checkpoint, during a validation, while the gate closes, ...), and at
random moments in between, and resumed with ``w2s train --resume`` each time. At its end the last
checkpoint must equal that of the uninterrupted run bit by bit (weights, averaged weights,
optimizer, learning rates), and so must the gate's history, the validations and ``run.json``.

The exit status is 1 if a run differs or a point was not reached.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import json
import operator
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mmengine.config.config
import mmengine.runner.runner
import torch
from mmengine.hooks import Hook

from w2s_mm.commands.train import train
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils import mm

CONFIGS = Path(__file__).parents[1] / 'configs/digits'
ROOMS = ('w2s_mm.detection', 'w2s_mm.classification', 'w2s_mm.generation', 'w2s_mm.hooks')
VALIDATIONS = 6
EVERY = 2  # iterations between validations; an epoch
FID = 'FID-digits-classifier'


class Case(NamedTuple):
    """A run to kill.

    Attributes:
        name: Its name in the output.
        by_epoch: Whether its loop counts epochs.
        save_best: Whether CheckpointHook saves the best checkpoint.
        ema: Whether the weights are averaged.
        seed: Its ``--seed``; None leaves it out.
        keep: ``max_keep_ckpts``.
        measured: Whether the reference is measured (except of detectors), rather than given.
    """

    name: str
    by_epoch: bool
    save_best: bool
    ema: bool
    seed: int | None
    keep: int
    measured: bool


CASES = (
    Case('iterations, save_best, no seed', False, True, False, None, 1, False),
    Case('epochs, save_best, EMA, no seed', True, True, True, None, 2, False),
    Case('iterations, EMA', False, False, True, 3, 2, True),
)


class Point(NamedTuple):
    """Where a process kills itself.

    Attributes:
        what: Kind of the point; see :func:`arm`.
        where: Number of iterations done, or part of the name of the file that is written.
    """

    what: str
    where: int | str


def points(case: Case, closed_at: int | None) -> list[Point]:
    """The points of a case, in the order in which the run reaches them."""

    def file(validation: int) -> str:
        return f'epoch_{validation}.pth' if case.by_epoch else f'iter_{validation * EVERY}.pth'

    last = VALIDATIONS * EVERY
    closing = ('gate closes', 'gate closed', 'iteration')
    return [
        Point('before training', 0),
        Point('teacher evaluation', 0),
        Point('iteration', 1),
        Point('half of a file', f'.{file(1)}.'),  # the first checkpoint
        Point('checkpoint not renamed', file(1)),
        Point('checkpoint not named', file(1)),
        Point('validation', EVERY),
        Point('half of a file', '.time_to_target.json'),
        *([Point('half of a file', '.best_')] * case.save_best),
        Point('metric', 2 * EVERY),
        Point('validated', 2 * EVERY),
        *([Point('checkpoint cut short', 3 * EVERY)] * (case.keep > 1)),
        *(Point(what, closed_at) for what in closing if closed_at and closed_at < 5 * EVERY),
        Point('last_checkpoint empty', file(5)),
        Point('half of a file', f'.{file(VALIDATIONS)}.'),
        Point('checkpoint not named', file(VALIDATIONS)),
        Point('validation', last),
        Point('metric', last),
        Point('validated', last),
        Point('after training', last),
    ]


def kill() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


class First(Hook):
    """Kills before all other hooks are called."""

    priority = 'HIGHEST'

    def __init__(self, at: Callable[..., None]) -> None:
        self.at = at

    def before_train(self, runner: Any) -> None:
        """Start of the run."""
        self.at('before training', 0)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Start of an iteration."""
        self.at('iteration', runner.iter)

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """In the middle of a validation."""
        if batch_idx == 1:
            self.at('validation', runner.iter)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """The metrics are there, and no hook has used them."""
        self.at('metric', runner.iter)

    def after_train(self, runner: Any) -> None:
        """End of the run."""
        self.at('after training', runner.iter)


class Last(Hook):
    """Kills after all other hooks have been called."""

    priority = 'LOWEST'

    def __init__(self, at: Callable[..., None]) -> None:
        self.at = at

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """All hooks have used the metrics."""
        self.at('validated', runner.iter)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Checkpoint of an iteration saved."""
        if not mm.is_epoch_based(runner):
            self.at('checkpoint cut short', runner.iter + 1, lambda: _cut_last(runner))

    def after_train_epoch(self, runner: Any) -> None:
        """Checkpoint of an epoch saved."""
        self.at('checkpoint cut short', runner.iter, lambda: _cut_last(runner))


def _cut_last(runner: Any) -> None:
    """As MMEngine's own backend leaves it if it is killed, or a power cut."""
    last = Path((Path(runner.work_dir) / 'last_checkpoint').read_text())
    os.truncate(last, last.stat().st_size // 2)


def arm(point: Point | None) -> None:
    """Make this process kill itself at ``point``."""
    from w2s_mm.core import reference
    from w2s_mm.hooks import WeakToStrongHook

    def at(what: str, where: int, first: Callable[[], None] = lambda: None) -> None:
        if (what, where) == point:
            first()
            kill()

    build, fsync, replace = mm.build_runner, os.fsync, os.replace
    end, evaluate = WeakToStrongHook._end_distillation, reference.evaluating

    def build_runner(cfg: Any) -> Any:
        runner = build(cfg)
        runner.register_hook(First(at))
        runner.register_hook(Last(at))
        return runner

    def is_at(what: str, path: str) -> bool:
        return point is not None and point.what == what and str(point.where) in path

    def half(descriptor: int) -> None:
        if is_at('half of a file', os.readlink(f'/proc/self/fd/{descriptor}')):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            kill()
        fsync(descriptor)

    def renamed(source: Any, target: Any) -> None:
        if is_at('checkpoint not renamed', str(target)):
            kill()
        replace(source, target)
        if is_at('checkpoint not named', str(target)):
            kill()
        if is_at('last_checkpoint empty', str(target)):
            Path(target).with_name('last_checkpoint').write_text('')
            kill()

    def end_distillation(self: Any, runner: Any, reason: str) -> None:
        at('gate closes', runner.iter)
        end(self, runner, reason)
        at('gate closed', runner.iter)

    def evaluating(*arguments: Any) -> Any:
        at('teacher evaluation', 0)
        return evaluate(*arguments)

    mm.build_runner, os.fsync, os.replace = build_runner, half, renamed
    WeakToStrongHook._end_distillation = end_distillation
    reference.evaluating = evaluating


def start(argv: Sequence[str], log: Path, point: Point | None = None) -> int:
    """Run ``w2s train`` in a process of its own, and return its id.

    A fork: what takes seconds is to import torch and the MM stack.
    """
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('ab') as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        os.setsid()
        torch.set_num_threads(1)
        arm(point)
        train(argv)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def finish(process: int, log: Path) -> float:
    """Wait for a process that must succeed; gives its seconds."""
    begin = time.monotonic()
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError(f'status {status}\n{log.read_text()[-3000:]}')
    return time.monotonic() - begin


class Study:
    """Runs the cases of one task.

    Args:
        task: ``retinanet``, ``classifier`` or ``ddpm``.
        folder: Where to write.
    """

    def __init__(self, task: str, folder: Path) -> None:
        self.task = task
        self.folder = folder
        if task == 'retinanet':
            write_digit_scenes(folder / 'scenes', num_train=8, num_val=6, size=64)
        names = [('teacher', f'{task}_teacher'), *[('fid', 'fid_classifier')] * (task == 'ddpm')]
        for name, base in reversed(names):
            short = {'by_epoch': False, 'max_iters': 4, 'val_interval': 4}
            options = {'default_hooks.checkpoint.interval': 4, 'custom_hooks': []}
            self._train_once(self._write(name, base, train_cfg=short, **options))

    def _train_once(self, config: Path) -> None:
        argv = [str(config), '--work-dir', str(config.with_suffix('')), '--seed', '0']
        log = self.folder / f'{config.stem}.log'
        finish(start(argv, log), log)

    def _write(self, name: str, base: str, **options: Any) -> Path:
        cfg = mm.read_config_file(str(CONFIGS / f'{base}.py'))
        for key in [key for key, value in options.items() if isinstance(value, dict)]:
            *parents, last = key.split('.')  # replaced, not merged
            functools.reduce(operator.getitem, parents, cfg)[last] = options.pop(key)
        if base.startswith(self.task):
            options.update(self._data())
        cfg.merge_from_dict(options)
        path = self.folder / f'{name}.py'
        cfg.dump(path)
        return path

    def _data(self) -> dict[str, Any]:
        """Few and small images."""
        if self.task == 'retinanet':
            loaders = ('train_dataloader', 'val_dataloader')
            return {
                **{f'{each}.dataset.data_root': f'{self.folder}/scenes/' for each in loaders},
                **{f'{each}.num_workers': 0 for each in loaders},
                **{f'{each}.persistent_workers': False for each in loaders},
                'val_evaluator.ann_file': f'{self.folder}/scenes/annotations/val.json',
                'train_dataloader.batch_size': 4,
                'auto_scale_lr.base_batch_size': 4,
                'val_dataloader.batch_size': 2,
                'model.test_cfg.score_thr': 0.0,  # so that there are boxes, and AP50 is not 0
            }
        if self.task == 'classifier':
            return {
                'train_dataloader.batch_size': 4,
                'auto_scale_lr.base_batch_size': 4,
                'train_dataloader.dataset.indices': 8,
                'val_dataloader.batch_size': 20,
                'val_dataloader.dataset.indices': 60,
            }
        return {
            'train_dataloader.batch_size': 4,
            'auto_scale_lr.base_batch_size': 4,
            'train_dataloader.dataset.indices': 8,
            'val_dataloader.batch_size': 20,
            'val_dataloader.dataset.count': 40,
            'val_evaluator.cache': f'{self.folder}/reference',
            'val_evaluator.features.config': f'{self.folder}/fid.py',
            'val_evaluator.features.checkpoint': f'{self.folder}/fid/iter_4.pth',
            'model.unet.channels': 8,
            'model.sampling.steps': 2,
        }

    def config(self, case: Case) -> Path:
        """Write the config of a case."""
        checkpoint, hook = 'default_hooks.checkpoint', 'default_hooks.weak_to_strong'
        interval = 1 if case.by_epoch else EVERY
        # A few iterations make no detector: its AP50 is 0, and a gate for less than 1 closes.
        given = not case.measured or self.task == 'retinanet'
        options = {
            'train_cfg': {'by_epoch': True, 'max_epochs': VALIDATIONS, 'val_interval': 1}
            if case.by_epoch
            else {'by_epoch': False, 'max_iters': VALIDATIONS * EVERY, 'val_interval': EVERY},
            'param_scheduler': {'type': 'LinearLR', 'start_factor': 0.5, 'by_epoch': False},
            'custom_hooks': [{'type': 'EMAHook', 'momentum': 0.1}] if case.ema else [],
            'model.teacher.config': f'{self.folder}/teacher.py',
            'model.teacher.checkpoint': f'{self.folder}/teacher/iter_4.pth',
            f'{checkpoint}.by_epoch': case.by_epoch,
            f'{checkpoint}.interval': interval,
            f'{checkpoint}.max_keep_ckpts': case.keep,
            f'{checkpoint}.save_best': METRIC[self.task] if case.save_best else None,
            f'{checkpoint}.rule': 'less' if self.task == 'ddpm' else 'greater',
            f'{hook}.reference': REFERENCE[self.task] if given else None,
            f'{hook}.rule': 'greater' if self.task == 'classifier' else 'less',
            f'{hook}.stop.k': 3,
            f'{hook}.schedule': WHOLE_RUN,
            f'{hook}.temperature': {'start': 4.0, 'end': 1.0, 'length': 1.0, 'unit': 'training'},
            'default_hooks.logger.interval': 1,
            'log_processor': {'by_epoch': case.by_epoch, 'window_size': 2},
        }
        if case.by_epoch:
            options['train_dataloader.sampler.type'] = 'DefaultSampler'
        name = ''.join(each if each.isalnum() else '_' for each in case.name)
        return self._write(name, f'{self.task}_student', **options)

    def run(
        self, case: Case, randoms: int, rng: random.Random, kinds: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Kill and resume a run until it ends, and compare it with the uninterrupted one.

        Args:
            case: The run.
            randoms: Number of kills at random moments.
            rng: Source of these moments.
            kinds: Kinds of points. Default: all.
        """
        config = self.config(case)
        killed, whole = (self.folder / f'{config.stem}_{each}' for each in ('killed', 'whole'))
        log = self.folder / f'{config.stem}.log'
        seed = [] if case.seed is None else ['--seed', str(case.seed)]
        begin = time.monotonic()
        closed_at, seconds = 3 * EVERY, 3.0
        if case.seed is not None:
            seconds = finish(start([str(config), '--work-dir', str(whole), *seed], log), log)
            closed = json.loads((whole / 'weak_to_strong.json').read_text())['closed_at']
            closed_at = closed and closed['iter']
        waiting = [each for each in points(case, closed_at) if not kinds or each.what in kinds]
        kills: Counter[str] = Counter()
        unreached = []
        argv = [str(config), '--work-dir', str(killed), *seed]
        attempts = 0
        while True:
            resume = ['--resume'] if killed.is_dir() else []
            process = start([*argv, *resume], log, waiting[0] if waiting else None)
            attempts += 1
            if randoms and attempts % 2:
                time.sleep(rng.uniform(0.0, seconds))
                done, status = os.waitpid(process, os.WNOHANG)
                if not done:
                    os.kill(process, signal.SIGKILL)
                    _, status = os.waitpid(process, 0)
                    randoms -= 1
                    kills['random moment'] += 1
                    continue
            else:
                _, status = os.waitpid(process, 0)
            if os.WIFSIGNALED(status):
                kills[waiting.pop(0).what] += 1
            elif status:
                raise RuntimeError(f'{case.name}: status {status}\n{log.read_text()[-3000:]}')
            elif waiting:
                unreached.append(waiting.pop(0))
            else:
                break
        if case.seed is None:
            drawn = load(killed)['meta']['seed']
            argv = [str(config), '--work-dir', str(whole), '--seed', str(drawn)]
            finish(start(argv, log), log)
        return {
            'task': self.task,
            'case': case.name,
            'kills': sum(kills.values()),
            'of': dict(sorted(kills.items())),
            'not_reached': unreached,
            'different': differences(killed, whole),
            'closed_at': json.loads((whole / 'weak_to_strong.json').read_text())['closed_at'],
            'seconds': round(time.monotonic() - begin),
        }


def load(run: Path) -> dict[str, Any]:
    """The last checkpoint of a run."""
    name = Path((run / 'last_checkpoint').read_text()).name
    return torch.load(run / name, weights_only=False)


def differences(killed: Path, whole: Path) -> list[str]:
    """What of the two runs differs."""
    found = []
    saved = [load(run) for run in (killed, whole)]
    for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'weak_to_strong'):
        if not same(*(each.get(key) for each in saved)):
            found.append(key)

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads((run / name).read_text()) for run in (killed, whole)]

    for key in ('reference', 'history', 'closed_at', 'weights'):
        if not same(*(each[key] for each in read('weak_to_strong.json'))):
            found.append(f'weak_to_strong.json: {key}')
    clocks = ('train_seconds', 'wall_seconds')
    told = [without(each, clocks) for each in read('time_to_target.json')]
    for key in ('finished', 'history', 'targets', 'max_iters'):
        if told[0][key] != told[1][key]:
            found.append(f'time_to_target.json: {key}')
    for key in ('initial_weights', 'batches', 'resumed', 'seed'):
        if len({str(each[key]) for each in read('run.json')}) > 1:
            found.append(f'run.json: {key}')
    names = [sorted(path.name for path in run.glob('*.pth')) for run in (killed, whole)]
    if names[0] != names[1]:
        found.append(f'checkpoints: {names[0]}, whole run {names[1]}')
    for name in set(names[0]) & set(names[1]):
        each = [torch.load(run / name, weights_only=False) for run in (killed, whole)]
        if not same(each[0]['state_dict'], each[1]['state_dict']):
            found.append(name)
    return found


def without(content: Any, keys: Sequence[str]) -> Any:
    """Nested data without some keys."""
    if isinstance(content, dict):
        return {k: without(v, keys) for k, v in content.items() if k not in keys}
    return [without(each, keys) for each in content] if isinstance(content, list) else content


def same(a: Any, b: Any) -> bool:
    """Whether nested data are equal, tensors bit by bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b, strict=True))
    return bool(a == b)


METRIC = {'retinanet': 'coco/bbox_mAP_50', 'classifier': 'accuracy/top1', 'ddpm': FID}
REFERENCE = {'retinanet': 1.0, 'classifier': 1e-9, 'ddpm': 1e9}
WHOLE_RUN = {
    'type': 'WarmupHoldDecay',
    'unit': 'training',
    'lambda_max': 1.0,
    'warmup': 0.2,
    'hold': 0.8,
    'decay': 0.0,
}


def main() -> None:
    """Run the cases, print a line for each, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    tasks = ('retinanet', 'classifier', 'ddpm')
    parser.add_argument('--tasks', nargs='+', default=list(tasks), choices=tasks)
    parser.add_argument('--cases', type=int, nargs='+', default=list(range(len(CASES))))
    parser.add_argument('--random', type=int, default=15, help='kills at random moments per case')
    parser.add_argument('--points', nargs='+', help='kinds of points; default: all')
    parser.add_argument('--seed', type=int, default=0, help='of the random moments')
    parser.add_argument('--json', type=Path, help='file for the figures')
    args = parser.parse_args()
    for room in ROOMS:
        importlib.import_module(room)
    # MMEngine formats the config for every checkpoint, and asks compilers for their versions. This
    # takes most of the time of such short runs.
    mmengine.config.config.FormatCode = lambda text, **_: (text, True)
    mmengine.runner.runner.collect_env = dict
    gc.freeze()
    found = []
    for task in args.tasks:
        with tempfile.TemporaryDirectory() as folder:
            study = Study(task, Path(folder))
            for number in args.cases:
                rng = random.Random(f'{args.seed} {task} {number}')
                result = study.run(CASES[number], args.random, rng, args.points)
                found.append(result)
                wrong = result['different'] + [f'not reached: {p}' for p in result['not_reached']]
                print(
                    f'{task}, {result["case"]}: {result["kills"]} kills, '
                    f'{"; ".join(map(str, wrong)) or "equal"} ({result["seconds"]} s)',
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + '\n')
    sys.exit(any(each['different'] or each['not_reached'] for each in found))


if __name__ == '__main__':
    main()
