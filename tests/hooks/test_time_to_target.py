"""first@tau on a real runner: the file, the clocks, the resume."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.hooks.toy import make_config, run
from w2s_mm.hooks import TimeToTargetHook, time_to_target
from w2s_mm.utils.errors import W2SError


def report(work_dir: Path) -> dict:
    return json.loads((work_dir / 'time_to_target.json').read_text())


class Clock:
    """A clock that stands still unless it is set forward."""

    now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The clock of :class:`TimeToTargetHook`."""
    clock = Clock()
    fake = SimpleNamespace(perf_counter=clock.perf_counter)
    monkeypatch.setattr(time_to_target, 'time', fake)
    return clock


class Scripted(Hook):
    """Replaces the metric by a script, before any hook reads it; sets a clock forward."""

    priority = 'HIGHEST'

    def __init__(
        self,
        values: list[float],
        clock: Clock | None = None,
        train: float = 0.0,
        val: float = 0.0,
    ) -> None:
        self.values, self.clock, self.train, self.val = list(values), clock or Clock(), train, val

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.clock.now += self.train

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.clock.now += self.val

    def after_val_epoch(self, runner, metrics=None) -> None:
        metrics['toy/fit'] = self.values.pop(0)


def scripted(config, values, *clock, **seconds) -> Runner:
    runner = Runner.from_cfg(config)
    runner.register_hook(Scripted(values, *clock, **seconds))
    runner.train()
    return runner


@pytest.mark.parametrize('by_epoch', [True, False])
def test_first_and_sustained_crossings(tmp_path, by_epoch):
    config = make_config(tmp_path, None, epochs=5, by_epoch=by_epoch)
    scripted(config, [0.1, 0.6, 0.4, 0.7, 0.8])
    told = report(tmp_path)
    (target,) = told['targets']
    assert (target['first']['iter'], target['first']['epoch']) == (8, 2.0)
    assert (target['sustained']['iter'], target['sustained']['value']) == (16, 0.7)
    assert [point['iter'] for point in told['history']] == [4, 8, 12, 16, 20]
    assert told['finished']
    assert told['val_interval_iters'] == 4
    assert told['seed'] == 5


def test_target_that_is_never_reached_is_null(tmp_path):
    scripted(make_config(tmp_path, None, epochs=2), [0.1, 0.2])
    assert report(tmp_path)['targets'] == [{'threshold': 0.5, 'first': None, 'sustained': None}]


def test_lower_is_better(tmp_path):
    config = make_config(tmp_path, None, epochs=3, time_hook=dict(rule='less'))
    scripted(config, [0.9, 0.5, 0.4])
    assert report(tmp_path)['targets'][0]['sustained']['iter'] == 8


def test_file_is_written_as_it_happens(tmp_path):
    seen = []

    class Reader(Hook):
        priority = 'LOWEST'

        def after_val(self, runner) -> None:
            told = report(tmp_path)
            seen.append((len(told['history']), told['finished']))

    runner = Runner.from_cfg(make_config(tmp_path, None, epochs=3))
    runner.register_hook(Reader())
    runner.train()
    assert seen == [(1, False), (2, False), (3, False)]


def test_stop_ends_the_run_once_the_target_holds(tmp_path):
    config = make_config(tmp_path, None, epochs=6, time_hook=dict(stop=True))
    runner = scripted(config, [0.6, 0.4, 0.6, 0.7])
    assert runner.epoch == 4
    assert report(tmp_path)['finished']


def test_training_clock_excludes_validation_and_the_wall_clock_does_not(tmp_path, clock):
    config = make_config(tmp_path, None, epochs=2)
    scripted(config, [0.1, 0.2], clock, train=1, val=10)  # 4 iterations, then 3 batches, twice
    history = report(tmp_path)['history']
    assert [point['train_seconds'] for point in history] == [4, 8]
    assert [point['wall_seconds'] for point in history] == [34, 68]


def test_clocks_and_history_go_on_after_a_resume(tmp_path, clock):
    config = make_config(tmp_path, None, epochs=2)
    scripted(config, [0.1, 0.6], clock, train=1)
    config = make_config(tmp_path, None, epochs=3, resume=True)
    # The checkpoint is older than its own validation, which is caught up on first.
    scripted(config, [0.6, 0.7], clock, train=1)
    told = report(tmp_path)
    assert [(p['iter'], p['value']) for p in told['history']] == [(4, 0.1), (8, 0.6), (12, 0.7)]
    assert told['targets'][0]['sustained']['iter'] == 8
    assert [p['train_seconds'] for p in told['history']] == [4, 8, 12]


def test_unknown_metric_lists_what_is_reported(tmp_path):
    config = make_config(tmp_path, None)
    config.default_hooks.time_to_target.metric = 'toy/other'
    with pytest.raises(W2SError, match='It reports: toy/fit'):
        run(config)


def test_a_metric_of_no_evaluator_is_refused_before_training(tmp_path):
    config = make_config(tmp_path, None)
    config.default_hooks.time_to_target.metric = 'coco/bbox_mAP_50'
    runner = Runner.from_cfg(config)
    with pytest.raises(W2SError, match=r"'coco/bbox_mAP_50', which .* It reports: toy/\*"):
        runner.train()
    assert runner.iter == 0


def test_a_validation_that_finds_nothing_is_the_worst_and_the_run_goes_on(tmp_path, monkeypatch):
    """As with COCO's AP and no boxes, where a second evaluator reports."""
    fits = iter([{}, {'fit': 0.6}, {}, {'fit': 0.7}])
    monkeypatch.setattr('tests.hooks.toy.ToyFit.compute_metrics', lambda *_: next(fits))
    config = make_config(tmp_path, None, time_hook=dict(k=1))
    config.val_evaluator = [dict(type='ToyError'), dict(type='ToyFit')]
    run(config)
    told = report(tmp_path)
    assert [point['value'] for point in told['history']] == [0.0, 0.6, 0.0, 0.7]
    assert told['targets'][0]['first']['iter'] == 8


def two_metrics(work_dir, **options):
    config = make_config(work_dir, None, **options)
    config.val_evaluator = [dict(type='ToyError'), dict(type='ToyFit')]
    second = dict(type='TimeToTargetHook', metric='error/mse', rule='less', thresholds=[1e-9])
    config.custom_hooks = [
        {**second, 'stop': config.default_hooks.time_to_target.get('stop', False)}
    ]
    return config


def test_two_metrics_are_measured_side_by_side_and_resumed(tmp_path):
    whole = tmp_path / 'whole'
    run(two_metrics(whole))
    run(two_metrics(tmp_path / 'run', epochs=2))
    run(two_metrics(tmp_path / 'run', resume=True))
    metrics = {'time_to_target.json': 'toy/fit', 'time_to_target.error_mse.json': 'error/mse'}
    for name, metric in metrics.items():
        told = json.loads((tmp_path / 'run' / name).read_text())
        expected = json.loads((whole / name).read_text())
        assert told['metric'] == metric and told['finished']
        assert [point['iter'] for point in told['history']] == [4, 8, 12, 16]
        assert [p['value'] for p in told['history']] == [p['value'] for p in expected['history']]


def test_a_run_with_two_metrics_stops_once_all_targets_hold(tmp_path):
    config = two_metrics(tmp_path, time_hook=dict(stop=True, k=1))
    config.default_hooks.time_to_target.thresholds = [1e-6]
    config.custom_hooks[0].update(thresholds=[1e9], k=2)
    run(config)
    assert [point['iter'] for point in report(tmp_path)['history']] == [4, 8]


@pytest.mark.parametrize(
    ('metric', 'thresholds', 'match'),
    [
        ('coco/bbox_mAP_50', [20], 'Write 20 % as 0.2'),
        ('coco/bbox_mAP_50', [-0.1], 'above 0'),
        ('toy/fit', [float('nan')], 'finite'),
        ('toy/fit', [], 'no thresholds'),
    ],
)
def test_thresholds_out_of_range_are_refused(metric, thresholds, match):
    with pytest.raises(W2SError, match=match):
        TimeToTargetHook(metric=metric, thresholds=thresholds)
