import pytest
from mmengine.registry import TASK_UTILS

import w2s_mm.losses  # noqa: F401  (registers them)
from w2s_mm.core.registry import (
    build_optional,
    build_part,
    build_schedule,
    build_stop,
    build_temperature,
)
from w2s_mm.core.schedule import TemperatureRamp, WarmupHoldDecay
from w2s_mm.core.stop import NeverStop, SurpassGate
from w2s_mm.utils.errors import W2SError

LENGTHS = dict(lambda_max=1.0, warmup=1, hold=2, decay=3)


def test_the_paper_s_types_are_the_defaults():
    assert build_schedule(LENGTHS) == WarmupHoldDecay(1.0, 1, 2, 3)
    assert isinstance(build_stop({}, 'less'), SurpassGate)
    assert build_temperature(2.0) == TemperatureRamp(2.0)


@pytest.mark.parametrize('kind', ['WarmupHoldDecay', WarmupHoldDecay])
def test_a_type_is_a_name_or_a_class(kind):
    assert build_schedule(dict(LENGTHS, type=kind)) == WarmupHoldDecay(1.0, 1, 2, 3)


def test_a_stop_rule_is_given_the_metric_s_rule_if_it_takes_one():
    assert build_stop(dict(type='SurpassGate', k=3), 'less').rule == 'less'
    assert isinstance(build_stop(dict(type='NeverStop'), 'less'), NeverStop)
    assert build_stop(dict(rule='greater'), 'less').rule == 'greater'


def test_a_scope_that_a_base_config_adds_is_ignored():
    assert build_schedule(dict(LENGTHS, _scope_='w2s_mm')).length == 6


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='Nonsense'), "schedule.type is 'Nonsense'.*custom_imports"),
        (dict(LENGTHS, lambda_mx=1), 'schedule: .*lambda_mx.*takes: lambda_max, warmup'),
        (dict(lambda_max=1.0), 'schedule: .*warmup'),
        (3, 'schedule is 3; expected a dict'),
    ],
)
def test_bad_configs_are_named(config, message):
    with pytest.raises(W2SError, match=message):
        build_schedule(config)


def test_a_type_of_another_kind_may_be_registered_from_outside():
    @TASK_UTILS.register_module(force=True)
    class ConstantForTests:
        unit = 'iter'
        length = float('inf')

        def __call__(self, u):
            return 0.5

    assert build_schedule(dict(type='ConstantForTests'))(7) == 0.5


@pytest.mark.parametrize(
    ('config', 'told'),
    [
        ('KLDistillLoss', "loss is 'KLDistillLoss'; expected a dict"),
        ({}, 'loss.type is None'),
        ({'type': 'Nope'}, "loss.type is 'Nope', which is not registered in model"),
        ({'type': 'nope.L1Loss'}, "loss.type is 'nope.L1Loss'"),
        ({'type': 'KLDistillLoss', 'beta': 1}, "loss: .*'beta'. KLDistillLoss takes: reverse"),
    ],
)
def test_a_part_that_cannot_be_built_is_named(config, told):
    with pytest.raises(W2SError, match=told):
        build_part(config, 'loss', 'KLDistillLoss')


def test_a_part_is_built_and_none_is_optional():
    assert build_part({'type': 'KLDistillLoss', 'reverse': True}, 'loss', 'KLDistillLoss').reverse
    assert build_optional(None, 'loss', 'KLDistillLoss') is None
