"""Train the digit-scene pair and show what the teacher was worth."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from w2s_mm.core.errors import W2SError
from w2s_mm.datasets.digit_scenes import write_digit_scenes

ROOT = Path(__file__).parents[2]
STEPS = (
    ('retinanet_teacher', 'the weak teacher, a RetinaNet half as wide'),
    ('retinanet_baseline', 'the student without a teacher: the baseline'),
    ('retinanet_student', 'the student with the teacher'),
)


def main() -> None:
    """Entry point of ``tools/demo.py``."""
    parser = argparse.ArgumentParser(description='Teacher, baseline, student, and the comparison.')
    parser.add_argument('--seed', type=int, default=0, help='of baseline and student alike')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args()
    os.chdir(ROOT)
    try:
        run_demo(args.work_dir, args.seed)
    except (W2SError, OSError) as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        sys.exit('\nInterrupted. Type the same again: it goes on where it stopped.')


def run_demo(work_dir: Path, seed: int) -> None:
    """Run the steps that are not done yet, then compare.

    Raises:
        W2SError: A training failed; the message names its log.
    """
    start = time.monotonic()
    print('[1/5] digit scenes: handwritten digits on photographs')
    write_digit_scenes('data/digit_scenes')
    for number, (name, what) in enumerate(STEPS, start=2):
        run_dir = work_dir / (name if name == 'retinanet_teacher' else f'{name}_seed{seed}')
        print(f'[{number}/5] {what}', flush=True)
        if not _finished(run_dir):
            _train(name, run_dir, 0 if name == 'retinanet_teacher' else seed, work_dir)
    print('[5/5] comparison', flush=True)
    runs = [work_dir / f'{name}_seed{seed}' for name in ('retinanet_student', 'retinanet_baseline')]
    picture = work_dir / f'first_at_seed{seed}'
    command = [sys.executable, 'tools/first_at.py', str(runs[0]), '--baseline', str(runs[1])]
    subprocess.run([*command, '--out', str(picture)], check=True)
    print(
        f'\nTook {(time.monotonic() - start) / 60:.1f} minutes. One pair is one pair: five paired '
        f'seeds are in docs/results/.'
    )


def _finished(run_dir: Path) -> bool:
    told = run_dir / 'time_to_target.json'
    return told.is_file() and json.loads(told.read_text())['finished']


def _train(name: str, run_dir: Path, seed: int, work_dir: Path) -> None:
    command = [sys.executable, 'tools/train.py', f'configs/digits/{name}.py']
    command += ['--work-dir', str(run_dir), '--seed', str(seed)]
    if (run_dir / 'last_checkpoint').is_file():
        command.append('--resume')
    if name == 'retinanet_student':
        checkpoint = Path((work_dir / 'retinanet_teacher' / 'last_checkpoint').read_text().strip())
        command += ['--cfg-options', f'model.teacher.checkpoint={checkpoint}']
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / 'train.log'
    progress = Progress()
    with log.open('a') as kept:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                progress.show(line)
        except KeyboardInterrupt:
            process.wait()
            raise
    if sys.stdout.isatty():
        print()
    if process.wait():
        tail = ''.join(log.read_text().splitlines(keepends=True)[-12:])
        raise W2SError(
            f'{name} failed (exit status {process.returncode}). The end of {log}:\n{tail}'
        )


class Progress:
    """Turns the log of one training into a line of progress."""

    def __init__(self) -> None:
        self._score = ''

    def show(self, line: str) -> None:
        """Print what a line of the log says to a user, if anything."""
        if step := re.search(r'Iter\(train\) +\[ *(\d+)/(\d+)\].*?eta: (\S+).* loss: (\S+)', line):
            text = f'      iteration {step[1]:>4} of {step[2]}, {step[3]} left, loss {step[4]}'
            text += self._score
            if sys.stdout.isatty():
                print(f'\r{text:<78}', end='', flush=True)
            elif int(step[1]) % 100 == 0:
                print(text, flush=True)
        elif score := re.search(r'Iter\(val\).*coco/bbox_mAP_50: (\S+)', line):
            self._score = f', AP50 {100 * float(score[1]):.1f}'
        elif 'Distillation ended' in line or 'Weak-to-strong distillation' in line:
            text = '      ' + line.split(' - INFO - ')[-1].strip()
            print(f'\r{text:<78}' if sys.stdout.isatty() else text, flush=True)
