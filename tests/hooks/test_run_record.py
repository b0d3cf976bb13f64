"""What a run records of its start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from tests.hooks.toy import ToyNet, make_config, make_teacher
from w2s_mm.hooks import RunRecordHook
from w2s_mm.hooks.run_record import hash_weights
from w2s_mm.utils.checkpoint import load_checkpoint
from w2s_mm.utils.hashing import hash_tensors


def record(config):
    runner = Runner.from_cfg(config)
    runner.register_hook(RunRecordHook())
    runner.train()
    return json.loads((Path(runner.work_dir) / 'run.json').read_text())


def test_a_student_starts_like_its_baseline_and_tells_of_its_teacher(tmp_path):
    teacher = make_teacher(tmp_path)
    base = record(make_config(tmp_path / 'base', None, epochs=1))
    ours = record(
        make_config(
            tmp_path / 'ours',
            teacher,
            epochs=1,
            schedule=dict(unit='epoch', lambda_max=1.0, warmup=0.5, hold=0.5, decay=0),
        )
    )
    assert base['initial_weights'] == ours['initial_weights']
    assert base['batches'] == ours['batches'] and len(set(ours['batches'])) == 3
    assert base['teacher'] is None
    assert ours['teacher']['checkpoint'] == teacher['checkpoint']
    assert len(ours['teacher']['fingerprint']) == 64
    assert base['parameters'] == sum(p.numel() for p in ToyNet().parameters())


@pytest.mark.parametrize(
    ('change', 'weights', 'batches'),
    [
        ({'randomness.seed': 6}, True, True),
        ({'model.width': 9}, True, None),
        ({'train_dataloader.batch_size': 5}, False, True),
    ],
)
def test_another_start_has_other_fingerprints(tmp_path, change, weights, batches):
    base = record(make_config(tmp_path / 'a', None, epochs=1))
    config = make_config(tmp_path / 'b', None, epochs=1)
    config.merge_from_dict(change)
    other = record(config)
    assert (base['initial_weights'] != other['initial_weights']) == weights
    if batches is not None:
        assert (base['batches'] != other['batches']) == batches


def test_a_resumed_run_keeps_what_it_began_with(tmp_path):
    first = record(make_config(tmp_path, None, epochs=1))
    config = make_config(tmp_path, None, epochs=2)
    config.resume = True
    assert record(config) == first


def test_other_threads_and_versions_on_resume_are_told_and_kept(tmp_path, monkeypatch):
    record(make_config(tmp_path, None, epochs=1))
    config = make_config(tmp_path, None, epochs=2)
    config.resume = True
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 77)
    told = record(config)
    (changed,) = told['changed']
    assert changed.pop('iter') > 0 and list(changed) == ['threads']
    assert changed['threads'] == [told['hardware']['threads'], 77]
    (log,) = (path for path in tmp_path.glob('*/*.log') if '-> 77' in path.read_text())
    assert 'goes on with other software or hardware (threads' in log.read_text()


def test_a_resumed_run_that_never_told_does_not_take_the_middle_for_the_start(tmp_path):
    Runner.from_cfg(make_config(tmp_path, None, epochs=1)).train()
    config = make_config(tmp_path, None, epochs=2)
    config.resume = True
    told = record(config)
    assert told['initial_weights'] is None and told['batches'] == [] and told['resumed']


@pytest.mark.parametrize('content', ['', '{"format": 1, "con', None])
def test_a_record_that_was_cut_short_is_written_again(tmp_path, content):
    first = record(make_config(tmp_path, None, epochs=1))
    path = tmp_path / 'run.json'
    path.unlink() if content is None else path.write_text(content)
    assert record(make_config(tmp_path, None, epochs=2, resume=True)) == first
    path.unlink() if content is None else path.write_text(content)
    assert record(make_config(tmp_path, None, epochs=2, resume=True)) == first  # at its end


def test_a_run_killed_between_its_first_batches_goes_on_collecting(tmp_path):
    def config(**more):
        config = make_config(tmp_path, None, by_epoch=False, epochs=1, **more)
        config.default_hooks.checkpoint.interval = 2
        return config

    first = record(config())
    (tmp_path / 'run.json').unlink()
    again = config(resume=True, load_from=str(tmp_path / 'iter_2.pth'))
    assert record(again) == first


def test_a_checkpoint_with_a_record_is_loaded_as_weights_only(tmp_path):
    """As that of a teacher is."""
    record(make_config(tmp_path, None, epochs=1))
    kept = load_checkpoint(str(tmp_path / 'epoch_1.pth'))['run_record']
    assert kept == json.loads((tmp_path / 'run.json').read_text())


def test_versions_and_hardware_are_told(tmp_path):
    told = record(make_config(tmp_path, None, epochs=1))
    assert told['software']['torch'] == torch.__version__ and told['software']['mmengine']
    assert told['hardware']['processes'] == 1 and told['hardware']['cores'] >= 1
    assert told['seed'] == 5


def test_the_resolved_config_is_recorded_without_the_work_directory(tmp_path):
    config = make_config(tmp_path, None, epochs=1)
    settings = record(config)['settings']
    assert settings['optim_wrapper'] == config.optim_wrapper.to_dict()
    assert settings['model']['type'] == config.model.type
    assert str(tmp_path) not in json.dumps(settings)


def test_hashes_see_every_number_and_their_order():
    a, b = torch.arange(4.0), torch.arange(4.0, 8.0)
    assert hash_tensors({'x': [a, b]}) == hash_tensors([a, (b, 'a word')])
    assert hash_tensors([a, b]) != hash_tensors([b, a])
    assert hash_tensors([a]) != hash_tensors([a.reshape(2, 2)])
    net = ToyNet()
    before = hash_weights(net)
    net.body[2].running_mean[0] += 1e-7
    assert hash_weights(net) != before
