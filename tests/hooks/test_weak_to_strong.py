"""The hook on real runners: reference, gate, logging, release, resume, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import MMFullyShardedDataParallel
from mmengine.runner import FlexibleRunner, Runner

from tests.hooks.toy import ToyDistillHead, ToyNet, make_config, make_teacher, run, same, weights
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.hooks import ExactResumeHook
from w2s_mm.utils.errors import W2SError

SHORT = dict(unit='training', lambda_max=1.0, warmup=0.0, hold=1.0, decay=0.0)


@pytest.fixture
def teacher(tmp_path: Path) -> dict:
    return make_teacher(tmp_path)


def story(work_dir: Path) -> dict:
    return json.loads((work_dir / 'weak_to_strong.json').read_text())


class Spy(Hook):
    """Keeps lambda, temperature and losses of every iteration, and the RNG."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[tuple[int, float, float]] = []
        self.rng: list[torch.Tensor] = []
        self.batches: list[torch.Tensor] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        get = runner.message_hub.get_scalar
        scalars = runner.message_hub.log_scalars
        if 'train/distill_lambda' in scalars:
            self.seen.append(
                (
                    runner.iter,
                    get('train/distill_lambda').current(),
                    get('train/distill_temperature').current(),
                )
            )
        self.rng.append(torch.get_rng_state())
        self.batches.append(torch.stack(data_batch['inputs']))


def run_spied(config):
    runner = Runner.from_cfg(config)
    spy = Spy()
    runner.register_hook(spy)
    runner.train()
    return runner, spy


def test_reference_is_the_teachers_metric_on_the_students_validation_set(tmp_path, teacher):
    runner = run(make_config(tmp_path / 'run', teacher))
    net = ToyNet(4)
    net.load_state_dict(torch.load(teacher['checkpoint'], weights_only=True))
    data = runner.val_dataloader.dataset
    error = (net.eval()(data.images).squeeze(-1) - data.targets).square().mean().item()
    assert story(tmp_path / 'run')['reference'] == pytest.approx(1 / (1 + error), rel=1e-6)
    assert story(tmp_path / 'run')['reference_source'] == 'measured'


@pytest.mark.parametrize('content', ['', '{"key": "a', '[1, 2]', '{"key": 1}'])
def test_a_cache_that_was_cut_short_is_measured_again(tmp_path, teacher, content):
    run(make_config(tmp_path / 'run', teacher, epochs=1, schedule=SHORT))
    whole = (tmp_path / 'run' / 'teacher_reference.json').read_text()
    (tmp_path / 'run' / 'teacher_reference.json').write_text(content)
    run(make_config(tmp_path / 'run', teacher, epochs=1, schedule=SHORT))
    assert (tmp_path / 'run' / 'teacher_reference.json').read_text() == whole


def test_reference_is_measured_once_and_again_when_the_teacher_changes(tmp_path, teacher):
    run(make_config(tmp_path / 'run', teacher, epochs=3))
    kept = tmp_path / 'run' / 'teacher_reference.json'
    first = kept.read_text()
    changed = json.loads(first)
    changed['metrics']['toy/fit'] = 0.123
    kept.write_text(json.dumps(changed))
    run(make_config(tmp_path / 'run', teacher, epochs=3))
    assert story(tmp_path / 'run')['reference'] == 0.123  # taken from the file, not measured

    state = torch.load(teacher['checkpoint'], weights_only=True)
    state['head.1.bias'] += 1
    torch.save(state, teacher['checkpoint'])
    run(make_config(tmp_path / 'run', teacher, epochs=3))
    assert story(tmp_path / 'run')['reference'] != 0.123


def test_lambda_and_temperature_follow_the_schedule_every_iteration(tmp_path, teacher):
    _, spy = run_spied(make_config(tmp_path / 'run', teacher, hook=dict(reference=0.999)))
    assert len(spy.seen) == 16
    for iteration, weight, temperature in spy.seen:
        u = iteration / 4
        expected = min(u / 0.5, 1.0, max(0.0, 3.0 - u))
        assert weight == pytest.approx(expected)
        if u < 3:
            assert temperature == pytest.approx(2 - u / 3)
        else:
            assert weight == 0.0


def test_gate_closes_after_two_hits_and_teacher_is_released_for_good(tmp_path, teacher):
    runner, spy = run_spied(
        make_config(
            tmp_path / 'run',
            teacher,
            hook=dict(reference=1e-6),
            schedule=dict(unit='epoch', lambda_max=1.0, warmup=0.0, hold=4.0, decay=0.0),
        )
    )
    told = story(tmp_path / 'run')
    assert told['closed_at'] == {'iter': 8, 'epoch': 2.0}
    assert [entry['streak'] for entry in told['history']] == [1, 2, 3, 4]
    assert [weight for _, weight, _ in spy.seen] == [1.0] * 8 + [0.0] * 8
    assert runner.model.teacher.released
    with pytest.raises(W2SError, match='released'):
        _ = runner.model.teacher.model


def test_teacher_is_released_when_the_schedule_ends(tmp_path, teacher):
    runner = run(make_config(tmp_path / 'run', teacher, hook=dict(reference=0.9999)))
    assert story(tmp_path / 'run')['closed_at'] is None
    assert runner.model.teacher.released


def test_teacher_is_in_no_checkpoint_and_never_changes(tmp_path, teacher):
    runner = run(
        make_config(
            tmp_path / 'run',
            teacher,
            hook=dict(reference=0.9999),
            schedule=dict(unit='training', lambda_max=1.0, warmup=0.0, hold=1.0, decay=0.0),
        )
    )
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_4.pth', weights_only=False)
    plain = ToyNet()
    plain.load_state_dict(checkpoint['state_dict'], strict=True)
    runner.model.load_state_dict(plain.state_dict(), strict=True)
    parameters = sum(len(group['params']) for group in runner.optim_wrapper.param_groups)
    assert parameters == len(list(plain.parameters()))
    kept = torch.load(teacher['checkpoint'], weights_only=True)
    assert same(runner.model.teacher.model.state_dict(), kept)


@pytest.mark.parametrize('off', [dict(model=dict(gamma=0.0)), dict(lambda_max=0.0)])
def test_switched_off_the_run_is_bitwise_the_baseline(tmp_path, teacher, off):
    schedule = dict(
        unit='epoch', lambda_max=off.get('lambda_max', 1.0), warmup=0.0, hold=2.0, decay=0.0
    )
    missing = dict(teacher, checkpoint='not/there.pth')  # switched off, it is not even looked for
    ours, spy = run_spied(
        make_config(tmp_path / 'a', missing, schedule=schedule, model=off.get('model'))
    )
    base, base_spy = run_spied(make_config(tmp_path / 'b', None))
    assert same(weights(ours), weights(base))
    assert all(torch.equal(a, b) for a, b in zip(spy.rng, base_spy.rng, strict=True))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_teacher_takes_no_random_numbers_from_the_student(tmp_path, teacher, by_epoch):
    _, spy = run_spied(make_config(tmp_path / 'a', teacher, by_epoch=by_epoch))
    _, base_spy = run_spied(make_config(tmp_path / 'b', None, by_epoch=by_epoch))
    assert all(torch.equal(a, b) for a, b in zip(spy.rng, base_spy.rng, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(spy.batches, base_spy.batches, strict=True))


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('stop_after', [1, 2, 3])
def test_resumed_run_equals_the_uninterrupted_one(tmp_path, teacher, by_epoch, stop_after):
    """Contract 4: killed right after a checkpoint, before that checkpoint's validation."""
    settings = dict(
        by_epoch=by_epoch,
        hook=dict(reference=1e-6, stop=dict(k=3)),
        schedule=dict(unit='training', lambda_max=1.0, warmup=0.1, hold=0.9, decay=0.0),
    )
    whole, whole_spy = run_spied(make_config(tmp_path / 'whole', teacher, **settings))

    class Killed(Exception):
        pass

    class Killer(Hook):
        def before_val(self, runner) -> None:
            if runner.iter == 4 * stop_after:
                raise Killed

    config = make_config(tmp_path / 'cut', teacher, **settings)
    runner = Runner.from_cfg(config)
    runner.register_hook(Killer(), priority='HIGHEST')
    with pytest.raises(Killed):
        runner.train()

    config = make_config(tmp_path / 'cut', teacher, resume=True, **settings)
    resumed, resumed_spy = run_spied(config)
    assert story(tmp_path / 'cut')['history'] == story(tmp_path / 'whole')['history']
    assert story(tmp_path / 'cut')['closed_at'] == story(tmp_path / 'whole')['closed_at']
    assert resumed_spy.seen == whole_spy.seen[4 * stop_after :]
    assert all(
        torch.equal(a, b)
        for a, b in zip(resumed_spy.batches, whole_spy.batches[4 * stop_after :], strict=True)
    )
    assert same(weights(resumed), weights(whole))


def test_resumed_after_the_last_checkpoint_still_gets_its_last_validation(tmp_path, teacher):
    settings = dict(hook=dict(reference=1e-6, stop=dict(k=4)))
    run(make_config(tmp_path / 'run', teacher, **settings))
    whole = story(tmp_path / 'run')
    # What a kill between the last checkpoint and the last validation leaves behind:
    (tmp_path / 'run' / 'weak_to_strong.json').unlink()
    run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
    assert story(tmp_path / 'run') == whole


def test_resumed_past_the_gate_the_teacher_is_not_even_needed(tmp_path, teacher):
    settings = dict(
        hook=dict(reference=1e-6),
        schedule=dict(unit='epoch', lambda_max=1.0, warmup=0.0, hold=4.0, decay=0.0),
    )
    run(make_config(tmp_path / 'run', teacher, **settings))
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_3.pth'))
    Path(teacher['checkpoint']).unlink()
    run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
    assert len(story(tmp_path / 'run')['history']) == 4


def test_starting_weights_carry_no_gate(tmp_path, teacher):
    settings = dict(hook=dict(reference=1e-6))
    run(make_config(tmp_path / 'first', teacher, **settings))
    run(
        make_config(
            tmp_path / 'second',
            teacher,
            load_from=str(tmp_path / 'first' / 'epoch_4.pth'),
            **settings,
        )
    )
    assert len(story(tmp_path / 'second')['history']) == 4


def test_logs_reach_text_and_visualization_backends(tmp_path, teacher):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = make_config(tmp_path / 'run', teacher, hook=dict(reference=1e-6))
    config.visualizer = dict(
        type='Visualizer',
        name=f'visualizer_{tmp_path.name}',
        vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
    )
    runner = run(config)
    log = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    for term in ('distill_lambda', 'distill_temperature', 'loss_distill_toy', 'distill_streak'):
        assert term in log
    assert (
        'Distillation ended at iteration 8: the student surpasses the teacher in 2 validations'
        in log
    )
    events = EventAccumulator(str(Path(runner._log_dir) / 'vis_data')).Reload()
    tags = set(events.Tags()['scalars'])
    assert {
        'distill_lambda',
        'distill_temperature',
        'loss_distill_toy',
        'distill_streak',
        'distill_reference',
        'distill_closed',
    } <= tags
    assert [event.value for event in events.Scalars('distill_closed')] == [0, 1, 1, 1]
    # What is no longer added to the loss is drawn as 0, not as its last value.
    drawn = {event.step: event.value for event in events.Scalars('loss_distill_toy')}
    assert [drawn[step] > 0 for step in range(2, 17, 2)] == [True] * 4 + [False] * 4


def test_ema_shares_the_teacher_and_the_gate_sees_the_ema_model(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher, custom_hooks=[dict(type='EMAHook')])
    runner = run(config)
    ema = next(h for h in runner.hooks if type(h).__name__ == 'EMAHook').ema_model
    assert ema.module.teacher is runner.model.teacher
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_4.pth', weights_only=False)
    assert not any('teacher' in key for key in checkpoint['ema_state_dict'])


def test_gradient_accumulation_sums_the_distillation_gradient(tmp_path, teacher):
    """Two accumulated halves of a batch step like the whole (no batch norm, equal halves)."""
    flat = make_teacher(tmp_path, norm=False)
    schedule = dict(unit='training', lambda_max=1.0, warmup=0.0, hold=1.0, decay=0.0)
    common = dict(norm=False, schedule=schedule, hook=dict(reference=0.9999), epochs=2)
    results = []
    for name, batch, counts in (('whole', 12, 1), ('halves', 6, 2)):
        config = make_config(tmp_path / name, flat, **common)
        config.train_dataloader.batch_size = batch
        config.train_dataloader.dataset.augment = False
        config.optim_wrapper.accumulative_counts = counts
        config.default_hooks.weak_to_strong.temperature = 1.0  # the same for both halves
        config.param_scheduler = None
        results.append(weights(run(config)))
    for key, value in results[0].items():
        torch.testing.assert_close(results[1][key], value, rtol=1e-4, atol=1e-6)


def test_bf16_amp_trains_with_finite_full_precision_terms(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher)
    config.optim_wrapper.type = 'CpuAmpOptimWrapper'
    runner, _ = run_spied(config)
    term = runner.message_hub.get_scalar('train/loss_distill_toy')
    assert math.isfinite(term.mean())
    assert all(torch.isfinite(v).all() for v in weights(runner).values())


# ------------------------------------------------------------------- refusals


def refused(config, match):
    runner = Runner.from_cfg(config)
    with pytest.raises(W2SError, match=match):
        runner.train()
    assert runner.iter == 0  # before training starts


def test_unknown_metric_lists_what_is_reported(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher)
    config.default_hooks.weak_to_strong.metric = 'toy/other'
    refused(config, r"does not report 'toy/other'. It reports: toy/fit")


def test_targets_are_checked_with_what_the_teacher_s_evaluation_reports(tmp_path, teacher):
    for hook in ({}, dict(reference=0.5)):
        config = make_config(tmp_path / f'run{len(hook)}', teacher, hook=hook)
        config.default_hooks.time_to_target.metric = 'toy/other'
        refused(config, r"does not report 'toy/other'. It reports: toy/fit")


def test_a_metric_of_no_evaluator_is_refused_before_the_teacher_is_built(tmp_path, teacher):
    config = make_config(tmp_path / 'run', dict(teacher, checkpoint='nothing.pth'))
    config.default_hooks.weak_to_strong.metric = 'coco/bbox_mAP_50'
    refused(config, r"WeakToStrongHook.metric is 'coco/bbox_mAP_50', which")


@pytest.mark.parametrize('reference', [None, 0.01])
def test_a_validation_that_finds_nothing_interrupts_the_row(
    tmp_path, teacher, monkeypatch, reference
):
    """As with COCO's AP and no boxes, where a second evaluator reports."""
    # The teacher's evaluation, or the check of the metric's name; then the student's.
    fits = iter([{'fit': 0.01}, {'fit': 0.6}, {}, {'fit': 0.7}, {'fit': 0.7}])
    monkeypatch.setattr('tests.hooks.toy.ToyFit.compute_metrics', lambda *_: next(fits))
    config = make_config(tmp_path / 'run', teacher, hook=dict(reference=reference), schedule=SHORT)
    config.val_evaluator = [dict(type='ToyError'), dict(type='ToyFit')]
    run(config)
    history = story(tmp_path / 'run')['history']
    assert [entry['value'] for entry in history] == [0.6, 0.0, 0.7, 0.7]
    assert [entry['streak'] for entry in history] == [1, 0, 1, 2]


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('k', [1, 3, 9])  # the gate closes in the first, the last, no validation
def test_a_run_whose_distillation_has_ended_is_made_longer(tmp_path, teacher, k, by_epoch):
    """A schedule in fractions of the run has another length then, and nothing depends on it."""
    options = dict(schedule=SHORT, hook=dict(reference=1e-6, stop=dict(k=k)), by_epoch=by_epoch)
    run(make_config(tmp_path / 'run', teacher, epochs=3, **options))
    before = story(tmp_path / 'run')
    assert (before['closed_at'] or {}).get('iter') == {1: 4, 3: 12, 9: None}[k]
    run(make_config(tmp_path / 'run', teacher, epochs=5, resume=True, **options))
    after = story(tmp_path / 'run')
    assert after['closed_at'] == before['closed_at']
    assert after['history'][:3] == before['history'] and len(after['history']) == 5
    assert weight_at(after, 11) == weight_at(before, 11) and weight_at(after, 12) == 0


def weight_at(told, iteration):
    """The weight in ``weak_to_strong.json`` at an iteration."""
    points = told['weights'][0]['points']
    return next((value for at, value in reversed(points) if at <= iteration), 0)


def test_a_teacher_that_finds_nothing_is_refused(tmp_path, teacher, monkeypatch):
    monkeypatch.setattr('tests.hooks.toy.ToyFit.compute_metrics', lambda self, results: {})
    refused(make_config(tmp_path / 'run', teacher), 'measured reference is 0.0')


def test_a_student_that_finds_nothing_yet_counts_as_zero(tmp_path, teacher, monkeypatch):
    monkeypatch.setattr('tests.hooks.toy.ToyFit.compute_metrics', lambda self, results: {})
    run(make_config(tmp_path / 'run', teacher, hook=dict(reference=0.5)))
    assert [entry['value'] for entry in story(tmp_path / 'run')['history']] == [0.0] * 4


def test_unknown_metric_is_found_even_with_a_given_reference(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher, hook=dict(reference=0.5))
    config.default_hooks.weak_to_strong.metric = 'toy/other'
    refused(config, 'It reports: toy/fit')


def test_reference_that_is_nan_is_refused(tmp_path, teacher):
    state = torch.load(teacher['checkpoint'], weights_only=True)
    state['head.1.weight'] = torch.tensor([[3e38, -3e38, 3e38, -3e38]])  # inf - inf
    state['body.2.weight'] *= 100
    torch.save(state, teacher['checkpoint'])
    refused(make_config(tmp_path / 'run', teacher), 'reference is nan')


def test_teacher_with_nan_in_its_weights_is_refused(tmp_path, teacher):
    state = torch.load(teacher['checkpoint'], weights_only=True)
    state['head.1.bias'] += math.nan
    torch.save(state, teacher['checkpoint'])
    refused(make_config(tmp_path / 'run', teacher), 'NaN or infinity in 1 of 9 weights: head.1')


def test_schedule_longer_than_the_run_is_refused(tmp_path, teacher):
    schedule = dict(unit='epoch', lambda_max=1.0, warmup=1.0, hold=3.0, decay=1.0)
    refused(make_config(tmp_path / 'run', teacher, schedule=schedule), 'longer than the run')


def test_teacher_of_other_classes_is_refused(tmp_path, teacher):
    state = torch.load(teacher['checkpoint'], weights_only=True)
    meta = dict(dataset_meta=dict(classes=('cat', 'dog')))
    torch.save(dict(state_dict=state, meta=meta), teacher['checkpoint'])
    refused(make_config(tmp_path / 'run', teacher), r"\('cat', 'dog'\), student \('toy',\)")


def test_plain_model_is_refused(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher)
    config.model = dict(type='ToyNet')
    refused(config, 'found ToyNet')


def test_missing_exact_resume_hook_is_refused(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher)
    config.default_hooks.pop('exact_resume')
    refused(config, 'ExactResumeHook')


def test_resuming_under_another_schedule_is_refused(tmp_path, teacher):
    run(make_config(tmp_path / 'run', teacher, epochs=3))
    schedule = dict(unit='epoch', lambda_max=2.0, warmup=0.5, hold=1.5, decay=1.0)
    config = make_config(tmp_path / 'run', teacher, epochs=4, schedule=schedule, resume=True)
    with pytest.raises(W2SError, match='other settings of WeakToStrongHook'):
        run(config)


def test_resuming_with_another_teacher_is_refused(tmp_path, teacher):
    run(make_config(tmp_path / 'run', teacher, epochs=3, hook=dict(reference=0.9999)))
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_1.pth'))
    state = torch.load(teacher['checkpoint'], weights_only=True)
    state['head.1.bias'] += 1
    torch.save(state, teacher['checkpoint'])
    again = make_config(tmp_path / 'run', teacher, epochs=3, hook=dict(reference=0.9999))
    again.resume = True
    with pytest.raises(W2SError, match='teacher has changed since this run was started'):
        run(again)


def test_resuming_the_checkpoint_of_a_plain_run_is_refused(tmp_path, teacher):
    run(make_config(tmp_path / 'run', None, epochs=2))
    with pytest.raises(W2SError, match='without WeakToStrongHook'):
        run(make_config(tmp_path / 'run', teacher, resume=True))


@pytest.mark.parametrize('value', [math.nan, 0.0, -1.0, math.inf])
def test_given_reference_out_of_range_is_refused(tmp_path, teacher, value):
    with pytest.raises(W2SError, match='The given reference'):
        run(make_config(tmp_path / 'run', teacher, hook=dict(reference=value)))


def test_exact_resume_hook_says_nothing_without_a_resume(tmp_path):
    hook = ExactResumeHook()
    hook.before_train_epoch(None)  # no checkpoint was loaded: nothing to do
    hook.after_train(None)


@pytest.mark.parametrize(
    ('settings', 'named'),
    [
        (dict(strategy=dict(type='FSDPStrategy')), 'FSDPStrategy'),
        (dict(strategy=dict(type='DeepSpeedStrategy', zero_optimization={})), 'DeepSpeedStrategy'),
        (dict(strategy=dict(type='mmengine.ColossalAIStrategy')), 'ColossalAIStrategy'),
        (
            dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')),
            'MMFullyShardedDataParallel',
        ),
        (
            dict(model_wrapper_cfg=dict(type=MMFullyShardedDataParallel)),
            'MMFullyShardedDataParallel',
        ),
    ],
)
def test_sharded_models_are_refused_before_the_teacher_is_built(
    tmp_path, teacher, settings, named, monkeypatch
):
    runner = Runner.from_cfg(make_config(tmp_path / 'run', teacher))
    runner.cfg.merge_from_dict(settings)
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    with pytest.raises(W2SError, match=rf'{named}.*MMDistributedDataParallel.*model\.gamma=0'):
        runner.train()


def test_the_flexible_runner_on_one_device_trains_and_resumes_bit_by_bit(tmp_path, teacher):
    def config(name, **settings):
        made = make_config(tmp_path / name, teacher, **settings)
        made.strategy = dict(type='SingleDeviceStrategy')
        made.env_cfg = dict(dist_cfg=dict(backend='gloo'))
        return made

    expected = run(make_config(tmp_path / 'plain', teacher))
    runner = FlexibleRunner.from_cfg(config('flexible'))
    runner.train()
    assert same(weights(runner), weights(expected))
    whole = story(tmp_path / 'flexible')
    assert whole == story(tmp_path / 'plain')
    (tmp_path / 'flexible' / 'last_checkpoint').write_text(str(tmp_path / 'flexible/epoch_2.pth'))
    resumed = FlexibleRunner.from_cfg(config('flexible', resume=True))
    resumed.train()
    assert story(tmp_path / 'flexible') == whole
    assert same(weights(resumed), weights(expected))


@pytest.mark.slow
@pytest.mark.parametrize('runner_type', [Runner, FlexibleRunner])
def test_a_compiled_run_distils_and_resumes_as_without_compile(
    tmp_path, teacher, runner_type, monkeypatch
):
    """With MMEngine's own ``compile`` of the whole step, nothing would be recorded."""
    compiled = []

    def keep(graph, inputs):
        compiled.append(graph)
        return graph.forward

    compile = torch.compile
    monkeypatch.setattr(torch, 'compile', lambda func, backend: compile(func, backend=keep))

    def config(name, **settings):
        made = make_config(tmp_path / name, teacher, **settings)
        if runner_type is FlexibleRunner:
            made.strategy = dict(type='SingleDeviceStrategy')
            made.env_cfg = dict(dist_cfg=dict(backend='gloo'))
        return made

    def train(name, **settings):
        torch._dynamo.reset()
        runner = runner_type.from_cfg(config(name, **settings))
        runner.train()
        return runner

    expected = train('plain')
    found = train('compiled', compile=dict(backend='eager'))
    assert compiled
    assert story(tmp_path / 'compiled') == story(tmp_path / 'plain')
    assert same(weights(found), weights(expected))
    for epoch in (2, 4):  # before the end of distillation, and after it
        last = tmp_path / 'compiled' / f'epoch_{epoch}.pth'
        (tmp_path / 'compiled' / 'last_checkpoint').write_text(str(last))
        compiled.clear()
        resumed = train('compiled', compile=dict(backend='eager'), resume=True)
        assert story(tmp_path / 'compiled') == story(tmp_path / 'plain')
        assert same(weights(resumed), weights(expected))
        assert compiled or epoch == 4


@pytest.fixture
def failing_answers(monkeypatch):
    """The teacher's answers in these iterations have one NaN each."""
    iterations = []

    def ask(self, student, teacher, inputs, data_samples, tape):
        answer = original(self, student, teacher, inputs, data_samples, tape)
        if MessageHub.get_current_instance().get_info('iter') in iterations:
            answer = answer.clone()
            answer[0] = float('nan')
        return answer

    original = ToyDistillHead.ask
    monkeypatch.setattr(ToyDistillHead, 'ask', ask)
    return iterations


def test_answers_with_nan_are_survived_told_once_and_counted_through_a_resume(
    tmp_path, teacher, failing_answers
):
    settings = dict(
        hook=dict(stop=dict(type='NeverStop')),
        schedule=dict(unit='training', lambda_max=1.0, warmup=0.0, hold=0.75, decay=0.0),
    )
    failing_answers += [2, 3, 4, 5, 9]  # more in a row than at the start end a run
    runner = run(make_config(tmp_path / 'run', teacher, **settings))
    whole = story(tmp_path / 'run')
    assert whole['answers'] == {'answers': 12, 'dropped': 5}
    assert all(value.isfinite().all() for value in weights(runner).values())
    log = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    assert log.count('NaN or infinity for the last batch') == 1
    assert 'The teacher is released. 5 of its 12 answers had NaN or infinity' in log

    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_2.pth'))
    resumed = run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
    assert story(tmp_path / 'run') == whole
    assert same(weights(resumed), weights(runner))


def test_a_teacher_that_is_broken_from_the_start_ends_the_run(tmp_path, teacher, failing_answers):
    failing_answers += range(16)
    with pytest.raises(W2SError, match='first 3 answers'):
        run(make_config(tmp_path / 'run', teacher))
