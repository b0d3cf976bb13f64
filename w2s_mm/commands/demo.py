"""Train the digit-scene pair and show what the teacher was worth."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from w2s_mm.commands.environment import check_environment
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils.errors import W2SError

from .cli import run_command
from .compare import compare_configs
from .runs import ROOT, Training, run_trainings

CONFIGS = 'configs/digits/retinanet_{}.py'


def demo(argv: list[str] | None = None) -> None:
    """Train the teacher, then compare student and baseline.

    Raises:
        W2SError: A training failed; the message names its log.
    """
    parser = argparse.ArgumentParser(description='Teacher, baseline, student, and the comparison.')
    parser.add_argument('--seed', type=int, default=0, help='of baseline and student alike')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args(argv)
    check_environment(('detection',))
    os.chdir(ROOT)
    start = time.monotonic()
    print('[1/3] digit scenes: handwritten digits on photographs', flush=True)
    try:
        write_digit_scenes('data/digit_scenes')
    except OSError as error:  # other scenes lie there, or there is no room
        raise W2SError(str(error)) from error
    print('[2/3] the weak teacher, a RetinaNet half as wide', flush=True)
    teacher = args.work_dir / 'retinanet_teacher'
    run_trainings([Training(teacher.name, CONFIGS.format('teacher'), 0, teacher)])
    print('[3/3] the student without a teacher (the baseline), and with it', flush=True)
    compare_configs(
        [CONFIGS.format('student')],
        CONFIGS.format('baseline'),
        [args.seed],
        args.work_dir,
        options={'model.teacher.checkpoint': (teacher / 'last_checkpoint').read_text().strip()},
    )
    print(
        f'\nTook {(time.monotonic() - start) / 60:.1f} minutes. One pair is one pair: five paired '
        f'seeds are in docs/results/.'
    )


def main() -> None:
    """Entry point of ``tools/demo.py``."""
    run_command(demo, resume='Type the same again: it goes on where it stopped.')
