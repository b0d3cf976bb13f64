"""``w2s diagnose``: check whether a teacher is too weak, suitable or too strong, and why."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.advice.band import Band, finished_baseline
from w2s_mm.advice.diagnosis import Alignment, Diagnosis, as_json, as_text
from w2s_mm.report.comparison import compare
from w2s_mm.report.levels import target
from w2s_mm.report.runs import Run, load_run
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.run_files import last_checkpoint

from .cli import add_band, config_parser, read_config, run_command
from .teacher_evaluation import (
    build_student,
    diagnosed_head,
    evaluate_teacher,
    of_student,
    say,
)

_SEED = 0  # of what a student's loss draws at random: RoIs, timesteps


def diagnose(argv: Sequence[str] | None = None) -> None:
    """Evaluate the teacher, and compare students trained without and with it; print the verdict.

    Raises:
        W2SError: Something is missing or does not fit.
    """
    from .preflight import check_data

    args = _arguments(argv)
    args.work_dir = args.work_dir or f'work_dirs/{Path(args.config).stem}_teachers'
    cfg = read_config(args)
    hook, teacher = of_student(cfg, args.config)
    metric, rule = hook['metric'], hook.get('rule', 'greater')
    runs = [load_run(args.baseline_run), load_run(args.student_run)]
    checkpoints = [last_checkpoint(run.path) for run in runs]
    band = Band(metric, rule, finished_baseline(runs[:1], metric, rule).value, args.band)
    check_data(cfg, ('val',))
    if 'log_level' not in args.cfg_options:
        cfg.log_level = 'WARNING'
    arguments = {**teacher, 'checkpoint': cfg.model.teacher.checkpoint}

    runner, student, device = build_student(cfg)
    say(f'[1/3] the teacher, {arguments["checkpoint"]}')
    with contextlib.redirect_stdout(io.StringIO()):  # MMEngine and the evaluators print
        candidate = evaluate_teacher(runner, student, arguments, device, metric, rule)
    say(f'[2/3] the student without it, {checkpoints[0]}')
    without = _align(runner, student, arguments, checkpoints[0], args.minibatch)
    say(f'[3/3] the student with it, {checkpoints[1]}')
    with_it = _align(runner, student, arguments, checkpoints[1], args.minibatch)
    tau, speedup = _speedup(*runs)
    diagnosis = Diagnosis(band, candidate, without, with_it, tau, speedup)
    print(f'\n{as_text(diagnosis)}')
    if args.json:
        write_json(args.json, as_json(diagnosis))
        print(f'\nJSON written to {args.json}')


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = config_parser(
        'diagnose',
        'Check whether a teacher is too weak, suitable or too strong. Reports the mean entropy of '
        'its answers, and KL(student || teacher) and linear CKA of the features for a student '
        'trained without it and one trained with it (Figure 7 of the paper).',
    )
    parser.add_argument(
        '--baseline-run', required=True, metavar='RUN_DIR', help='finished run without the teacher'
    )
    parser.add_argument(
        '--student-run', required=True, metavar='RUN_DIR', help='finished run with it'
    )
    add_band(parser)
    parser.add_argument(
        '--minibatch',
        type=int,
        default=64,
        help='images in a minibatch of CKA; default: %(default)s',
    )
    parser.add_argument('--json', metavar='FILE', help='write the figures as JSON')
    return parser.parse_args(argv)


def _align(
    runner: Any, student: Any, teacher_arguments: dict[str, Any], checkpoint: Path, minibatch: int
) -> Alignment:
    """Compare student and teacher on every image that :func:`images_of` gives.

    The student runs its loss, as in training (a two-stage detector samples RoIs), in evaluation
    mode; the teacher is asked the same question.

    Raises:
        W2SError: The checkpoint is not this student's, no distill head has a probe, or the
            validation set has no labels.
    """
    import torch
    from mmengine.runner import set_random_seed

    from w2s_mm.advice.cka import LinearCKA
    from w2s_mm.core.tape import record
    from w2s_mm.core.teacher import FrozenTeacher
    from w2s_mm.utils.checkpoint import load_checkpoint
    from w2s_mm.utils.rng import preserved_rng

    state = load_checkpoint(str(checkpoint))['state_dict']
    try:
        student.load_state_dict(state)
    except RuntimeError as error:
        raise W2SError(
            f'{checkpoint} does not fit the {type(student).__name__} of the config: '
            f'{str(error)[:300]}'
        ) from error
    student.eval()
    student.set_distillation(weight=0.0, temperature=1.0)  # its plain loss
    student.teacher = teacher = FrozenTeacher(**teacher_arguments)
    teacher.to(next(student.parameters()).device)
    head, probe = diagnosed_head(student)
    taps = tuple(dict.fromkeys((*head.taps(student), *probe.taps(student))))
    cka, total, answers, images = LinearCKA(minibatch), 0.0, 0, 0
    with preserved_rng(), torch.no_grad():
        set_random_seed(_SEED)
        for batch in images_of(runner):
            batch = student.data_preprocessor(batch, False)
            inputs, samples = batch['inputs'], batch.get('data_samples')
            recorded = record(teacher.model, probe.taps(teacher.model))
            with record(student, taps) as ours, recorded as theirs, teacher.batch([head]):
                _plain_loss(student, inputs, samples)
                answer = head.ask(student, teacher, inputs, samples, ours)
            rows = probe.features(student, ours), probe.features(teacher.model, theirs)
            cka.update(*rows)
            divergence = probe.divergence(student, ours, answer)
            total += float(divergence.double().sum())
            answers += len(divergence)
            images += len(rows[0])
    teacher.release()
    kl = total / answers if answers else None
    return Alignment(cka.value(), kl, answers, images)


def images_of(runner: Any) -> Any:
    """Loader of the validation images.

    A diffusion model is validated on samples drawn from seeds: there, the training images, once
    and in order.
    """
    if 'samples' not in (getattr(runner.val_dataloader.dataset, 'metainfo', None) or {}):
        return runner.val_dataloader
    loader = dict(
        runner.cfg.train_dataloader,
        batch_size=runner.cfg.val_dataloader.batch_size,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return runner.build_dataloader(loader)


def _plain_loss(student: Any, inputs: Any, samples: Any) -> None:
    try:
        student.loss(inputs, samples)
    except AttributeError as error:
        raise W2SError(
            f'The loss of {type(student).__name__} cannot be computed on the validation set '
            f'({error}). Its pipeline must load the annotations (LoadAnnotations), as the '
            f'training pipeline does.'
        ) from error


def _speedup(baseline: Run, student: Run) -> tuple[float, Any]:
    """Speedup of the student at its first target; None if the seeds of the two runs differ."""
    tau = student.thresholds[0] if student.thresholds else math.nan
    if baseline.seed != student.seed or math.isnan(tau):
        return tau, None
    return tau, compare([student], [baseline], level=target(tau)).pairs[0].speedup


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s diagnose``."""
    run_command(lambda: diagnose(argv))
