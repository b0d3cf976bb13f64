"""The command that says why a teacher helps or does not."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
from pathlib import Path
from typing import Any

from w2s_mm.advice.band import Band, finished_baseline
from w2s_mm.advice.diagnosis import Alignment, Diagnosis, as_json, as_text
from w2s_mm.report.comparison import compare
from w2s_mm.report.runs import Run, load_run
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json

from .cli import common_parser, read_config, run_command
from .teacher_evaluation import build_student, evaluate_teacher, of_student, say

_SEED = 0  # of whatever a student's loss draws: RoIs, timesteps


def diagnose(argv: list[str] | None = None) -> None:
    """Look at the teacher, and at a student without and with it; print and keep the verdict.

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
    with contextlib.redirect_stdout(io.StringIO()):  # the stack prints about every evaluation
        candidate = evaluate_teacher(runner, student, arguments, device, metric, rule)
    say(f'[2/3] the student without it, {checkpoints[0]}')
    without = _align(runner, student, arguments, checkpoints[0], args.minibatch)
    say(f'[3/3] the student with it, {checkpoints[1]}')
    taught = _align(runner, student, arguments, checkpoints[1], args.minibatch)
    tau, speedup = _speedup(*runs)
    diagnosis = Diagnosis(band, candidate, without, taught, tau, speedup)
    print(f'\n{as_text(diagnosis)}')
    if args.json:
        write_json(args.json, as_json(diagnosis))
        print(f'\nJSON written to {args.json}')


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = common_parser(
        'Is this teacher too weak, suitable or too strong, and by what signs? Mean entropy of its '
        'answers, KL(student || teacher) and linear CKA of the features, for a student trained '
        'without and one trained with it (Figure 7 of the paper).'
    )
    parser.add_argument(
        '--baseline-run', required=True, metavar='RUN_DIR', help='finished run without the teacher'
    )
    parser.add_argument(
        '--student-run', required=True, metavar='RUN_DIR', help='finished run with it'
    )
    parser.add_argument(
        '--band', type=float, default=0.15, help='how much weaker is suitable; default: %(default)s'
    )
    parser.add_argument(
        '--minibatch', type=int, default=64, help='images a minibatch of CKA; default: %(default)s'
    )
    parser.add_argument('--json', metavar='FILE', help='write the figures as JSON')
    return parser.parse_args(argv)


def last_checkpoint(run_dir: Path) -> Path:
    """The last checkpoint of a run, also where its folder has been moved.

    Raises:
        W2SError: There is none.
    """
    told = run_dir / 'last_checkpoint'
    name = Path(told.read_text().strip()).name if told.is_file() else ''
    if not name or not (run_dir / name).is_file():
        raise W2SError(
            f'{run_dir} has no last checkpoint{f" ({name})" if name else ""}. Expected the work '
            f'directory of a training with CheckpointHook.'
        )
    return run_dir / name


def _align(
    runner: Any, student: Any, teacher_arguments: dict[str, Any], checkpoint: Path, minibatch: int
) -> Alignment:
    """Ask student and teacher about every image that :func:`images_of` gives.

    The student answers as it does in training (a two-stage detector about the RoIs it samples), in
    evaluation mode; the teacher is asked the same question.

    Raises:
        W2SError: The checkpoint is not this student's, or the validation set has no labels.
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
    head = student.distill_head
    student.teacher = teacher = FrozenTeacher(**teacher_arguments)
    teacher.to(next(student.parameters()).device)
    taps = [(*head.taps(model), head.feature_tap(model)) for model in (student, teacher.model)]
    cka, total, answers, images = LinearCKA(minibatch), 0.0, 0, 0
    with preserved_rng(), torch.no_grad():
        set_random_seed(_SEED)
        for batch in images_of(runner):
            batch = student.data_preprocessor(batch, False)
            inputs, samples = batch['inputs'], batch.get('data_samples')
            with record(student, taps[0]) as ours, record(teacher.model, taps[1]) as theirs:
                _plain_loss(student, inputs, samples)
                answer = head.ask(student, teacher, inputs, samples, ours)
            rows = [
                head.features(tape[tap[-1]][-1])
                for tape, tap in zip((ours, theirs), taps, strict=True)
            ]
            cka.update(*rows)
            divergence = head.divergence(student, ours, answer)
            if divergence is not None:
                total += float(divergence.double().sum())
                answers += len(divergence)
            images += len(rows[0])
    teacher.release()
    kl = total / answers if answers else None
    return Alignment(cka.value(), kl, answers, images)


def images_of(runner: Any) -> Any:
    """Loader of the validation images.

    Where validation needs none, as it draws a diffusion model's samples from seeds, of the training
    images: once, in their order.
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
            f'The loss of {type(student).__name__} cannot be taken on the validation set '
            f'({error}). Its pipeline must load the annotations (LoadAnnotations), as the '
            f'training pipeline does.'
        ) from error


def _speedup(baseline: Run, student: Run) -> tuple[float, Any]:
    """Of the two runs, at the student's first target; None where they are no pair."""
    tau = student.thresholds[0] if student.thresholds else math.nan
    if baseline.seed != student.seed or math.isnan(tau):
        return tau, None
    return tau, compare([student], [baseline], tau=tau).pairs[0].speedup


def main() -> None:
    """Entry point of ``tools/diagnose_teacher.py``."""
    run_command(diagnose, resume='Type the same again: the evaluation of the teacher is kept.')
