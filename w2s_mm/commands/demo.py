"""``w2s demo``: the digit-scene pair, from its teacher to the report."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from w2s_mm.commands.environment import check_environment, operators_lack_gpu
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import last_checkpoint

from .cli import run_command
from .compare import compare_configs
from .launch import PlannedRun, options_of, run_all

CONFIG = 'w2s_mm::digits/retinanet_{}.py'
# Shorter than the configs, whose runs end converged.
SHORT = {
    'train_cfg.max_iters': 600,
    'train_cfg.val_interval': 30,
    'default_hooks.time_to_target.thresholds': [0.3],
}


def demo(argv: Sequence[str] | None = None) -> None:
    """Train the teacher, then compare student and baseline.

    Raises:
        W2SError: A run failed; the message names its log.
    """
    parser = argparse.ArgumentParser(
        prog='w2s demo',
        description='Train a teacher, a baseline and a student on digit scenes, and report. Writes '
        'the digit scenes to data/digit_scenes. Run again after an interruption, it continues.',
    )
    parser.add_argument('--seed', type=int, default=0, help='of baseline and student alike')
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/demo'),
        help='directory for runs and report; default: %(default)s',
    )
    args = parser.parse_args(argv)
    check_environment(('detection',))
    if problem := operators_lack_gpu():
        print(f'{problem}: the demo trains on the CPU.', flush=True)
        os.environ['CUDA_VISIBLE_DEVICES'] = ''  # of its runs too
    start = time.monotonic()
    print('[1/3] the digit scenes: handwritten digits on photographs', flush=True)
    try:
        write_digit_scenes('data/digit_scenes')
    except OSError as error:  # other scenes are there, or the disk is full
        raise W2SError(str(error)) from error
    print('[2/3] the teacher, a RetinaNet half as wide', flush=True)
    teacher = args.work_dir / 'retinanet_teacher'
    run_all([PlannedRun(teacher.name, CONFIG.format('teacher'), 0, teacher, options_of(SHORT))])
    print('[3/3] the baseline, and the student with its teacher', flush=True)
    compare_configs(
        [CONFIG.format('student')],
        CONFIG.format('baseline'),
        [args.seed],
        args.work_dir,
        options={**SHORT, 'model.teacher.checkpoint': str(last_checkpoint(teacher))},
    )
    print(
        f'\nTook {(time.monotonic() - start) / 60:.1f} minutes. This is one pair of short runs; '
        f'docs/results/ of the repository has paired seeds of longer ones.'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s demo``."""
    run_command(lambda: demo(argv))
