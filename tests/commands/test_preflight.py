import json
import math
import random

import pytest
import torch
from mmengine.config import Config

from w2s_mm.commands.preflight import check_data
from w2s_mm.commands.resume import check_resume
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    (root / 'train').mkdir(parents=True)
    (root / 'train.json').write_text('{}')
    return root


def dataset(root, **changes):
    return {
        'type': 'CocoDataset',
        'data_root': str(root),
        'ann_file': 'train.json',
        'data_prefix': {'img': 'train/'},
        **changes,
    }


def config(dataset, **top):
    return Config({'train_dataloader': {'batch_size': 2, 'dataset': dataset}, **top})


def contents(folder):
    return {p.relative_to(folder): p.is_file() and p.read_bytes() for p in folder.rglob('*')}


SPLITS = ('train', 'val')


def test_data_that_is_there_passes(data):
    check_data(config(dataset(data)), SPLITS)
    check_data(config(dataset(f'{data}/')), SPLITS)
    check_data(config(dataset(None, ann_file=f'{data}/train.json', data_prefix={})), SPLITS)
    check_data(config(dataset(data, data_prefix={'img': ''})), SPLITS)


@pytest.mark.parametrize('top', [{}, {'val_dataloader': None}])
def test_loaders_the_config_lacks_need_nothing(top, data):
    check_data(config(dataset(data), **top), SPLITS)


@pytest.mark.parametrize(
    ('changes', 'path'),
    [
        ({'ann_file': 'nothing.json'}, 'nothing.json'),
        ({'data_prefix': {'img': 'nothing/'}}, 'nothing'),
        ({'data_root': 'no/such/root'}, 'no/such/root'),
        ({'data_prefix': 'nothing'}, 'nothing'),  # a string, as in MMPretrain
    ],
)
def test_missing_data_is_named_with_the_hint_of_the_config(data, changes, path):
    cfg = config(dataset(data, **changes), missing_data='Type this: make data')
    with pytest.raises(W2SError) as refused:
        check_data(cfg, SPLITS)
    message = str(refused.value)
    assert message.startswith('train_dataloader: ') and path in message
    assert message.endswith('Type this: make data')


def test_without_a_hint_the_message_still_says_what_to_do(data):
    with pytest.raises(W2SError, match=r'data_root.*digit scenes.*w2s digit-scenes'):
        check_data(config(dataset(data, ann_file='nothing.json')), SPLITS)


def test_only_the_loaders_asked_for(data):
    cfg = config(dataset(data), test_dataloader={'dataset': dataset('nowhere')})
    check_data(cfg, SPLITS)
    with pytest.raises(W2SError, match=r'^test_dataloader: nowhere'):
        check_data(cfg, ('test',))


@pytest.mark.parametrize('wrap', [lambda metric: metric, lambda metric: [metric]])
def test_annotations_of_the_evaluator_are_looked_for_too(data, wrap):
    metric = {'type': 'CocoMetric', 'ann_file': f'{data}/nothing.json'}
    with pytest.raises(W2SError, match=r'val_evaluator: .*nothing\.json does not exist'):
        check_data(config(dataset(data), val_evaluator=wrap(metric)), SPLITS)


def test_reference_images_of_the_evaluator_are_looked_for_too(data):
    metric = {'type': 'FID', 'reference': dataset(data)}
    check_data(config(dataset(data), val_evaluator=metric), SPLITS)
    metric['reference']['data_prefix'] = {'img': 'nothing/'}
    with pytest.raises(W2SError, match=r'val_evaluator: .*nothing/ does not exist'):
        check_data(config(dataset(data), val_evaluator=metric), SPLITS)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: {'type': 'RepeatDataset', 'times': 2, 'dataset': inner},
        lambda inner: {'type': 'ConcatDataset', 'datasets': [inner, inner]},
        lambda inner: {
            'type': 'ClassBalancedDataset',
            'dataset': {'type': 'ConcatDataset', 'datasets': [inner]},
        },
    ],
)
def test_wrapped_data_sets_are_looked_into(data, wrap):
    check_data(config(wrap(dataset(data))), SPLITS)
    with pytest.raises(W2SError, match=r'nothing\.json'):
        check_data(config(wrap(dataset(data, ann_file='nothing.json'))), SPLITS)


RUN = {
    'model': {'type': 'RetinaNet', 'bbox_head': {'num_classes': 10}, 'strides': (8, 16)},
    'train_dataloader': {
        'batch_size': 16,
        'num_workers': 2,
        'dataset': {'type': 'CocoDataset', 'pipeline': [{'type': 'Resize', 'scale': (128, 128)}]},
    },
    'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'AdamW', 'lr': 1e-3}},
    'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 600, 'val_interval': 20},
    'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'max_keep_ckpts': 1}},
}


@pytest.fixture
def stopped(tmp_path):
    """A stopped run: its configuration as now, and its work directory with a checkpoint."""
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    cfg = Config({**RUN, 'work_dir': str(work_dir), 'resume': True})
    meta = {'cfg': cfg.pretty_text, 'iter': 100}
    path = work_dir / 'iter_100.pth'
    state = {'state_dict': {'w': torch.ones(1)}, 'optimizer': {}, 'rng': random.Random(1)}
    torch.save({'meta': meta, **state}, path)
    (work_dir / 'last_checkpoint').write_text(str(path))
    return cfg


def test_same_configuration_resumes(stopped):
    before = contents_of(stopped)
    check_resume(stopped)
    assert contents_of(stopped) == before


def contents_of(cfg):
    from pathlib import Path

    return contents(Path(cfg.work_dir))


@pytest.mark.parametrize(
    'change',
    [
        {'train_dataloader.num_workers': 0},
        {'train_cfg.max_iters': 1200},
        {'train_dataloader.persistent_workers': True},
        {'train_dataloader.pin_memory': True},
        {'default_hooks.checkpoint.max_keep_ckpts': 3},
        {'log_level': 'DEBUG'},
        {'model.strides': [8, 16]},  # a list where the file has a tuple
    ],
    ids=str,
)
def test_what_does_not_change_the_training_may_differ(stopped, change):
    stopped.merge_from_dict(change)
    check_resume(stopped)


@pytest.mark.parametrize(
    ('key', 'old', 'new'),
    [
        ('model.bbox_head.num_classes', 10, 5),
        ('train_dataloader.batch_size', 16, 8),
        ('optim_wrapper.optimizer.lr', 0.001, 0.01),
        ('optim_wrapper.type', 'OptimWrapper', 'AmpOptimWrapper'),
        ('train_cfg.val_interval', 20, 40),
        ('model.gamma', None, 0),
        ('train_dataloader.dataset.pipeline.0.scale.1', 128, 256),
    ],
)
def test_each_difference_is_listed_and_nothing_is_written(stopped, key, old, new):
    stopped.merge_from_dict({key: new} if '.0.' not in key else {})
    if '.0.' in key:
        stopped.train_dataloader.dataset.pipeline[0].scale = (128, 256)
    before = contents_of(stopped)
    with pytest.raises(W2SError) as refused:
        check_resume(stopped)
    message = str(refused.value)
    assert f'\n  {key}: {old!r} there, {new!r} now' in message
    assert 'iter_100.pth' in message and '--work-dir' in message
    assert contents_of(stopped) == before


def test_infinity_and_nan_in_a_config_are_no_difference(stopped, tmp_path):
    ranges = {'regress_ranges': ((-1, 64), (64, math.inf)), 'low': -math.inf, 'none': math.nan}
    stopped.model.update(ranges)
    path = tmp_path / 'run' / 'iter_100.pth'
    checkpoint = torch.load(path, weights_only=False)
    checkpoint['meta']['cfg'] = stopped.pretty_text
    torch.save(checkpoint, path)
    check_resume(stopped)
    stopped.model.low = math.inf
    with pytest.raises(W2SError, match=r'model\.low: -inf there, inf now'):
        check_resume(stopped)


def test_many_differences_are_counted(stopped):
    stopped.merge_from_dict({f'model.new_{i}': i for i in range(11)})
    with pytest.raises(W2SError, match=r'and 3 more'):
        check_resume(stopped)


def test_checkpoint_named_on_the_command_line(stopped, tmp_path):
    stopped.load_from = str(tmp_path / 'run' / 'iter_100.pth')
    stopped.work_dir = str(tmp_path / 'elsewhere')
    check_resume(stopped)
    stopped.model.bbox_head.num_classes = 5
    with pytest.raises(W2SError, match='num_classes: 10 there, 5 now'):
        check_resume(stopped)


def test_absent_checkpoint_to_resume_from(stopped):
    stopped.load_from = 'work_dirs/nothing.pth'
    with pytest.raises(W2SError, match=r'work_dirs/nothing\.pth') as refused:
        check_resume(stopped)
    assert 'teacher' not in str(refused.value)  # it is the run's own checkpoint that is missing


def test_damaged_checkpoint_to_resume_from(stopped, tmp_path):
    path = tmp_path / 'run' / 'iter_100.pth'
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(W2SError, match=r'iter_100\.pth cannot be read'):
        check_resume(stopped)


def test_latest_checkpoint_was_deleted(stopped, tmp_path):
    (tmp_path / 'run' / 'iter_100.pth').unlink()
    with pytest.raises(W2SError, match=r'iter_100\.pth'):
        check_resume(stopped)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(W2SError, match=r'Nothing to resume.*no_run does not exist.*--resume'):
        check_resume(Config({**RUN, 'work_dir': str(tmp_path / 'no_run')}))


def test_run_stopped_before_its_first_checkpoint_starts_over(tmp_path):
    cfg = Config({**RUN, 'work_dir': str(tmp_path), 'resume': True})
    check_resume(cfg)
    assert not cfg.resume  # hooks would take the run's start for a resumed one


def test_checkpoint_without_a_configuration_says_nothing(stopped, tmp_path):
    content = {'meta': {}, 'state_dict': {'w': torch.ones(1)}, 'optimizer': {}}
    torch.save(content, tmp_path / 'run' / 'iter_100.pth')
    check_resume(stopped)


def test_config_survives_as_text():
    """What the comparison rests on: the text of a config reads back equal."""
    cfg = Config(RUN)
    assert Config.fromstring(cfg.pretty_text, '.py').to_dict() == cfg.to_dict()
    assert json.dumps(cfg.to_dict())


@pytest.mark.parametrize(('there', 'now'), [(None, None), (7, None), (None, 7), (7, 7)])
def test_a_seed_that_was_drawn_is_the_run_s_own(stopped, tmp_path, there, now):
    path = tmp_path / 'run' / 'iter_100.pth'
    checkpoint = torch.load(path, weights_only=False)
    before = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    before.merge_from_dict({'randomness.seed': there})
    checkpoint['meta'].update(cfg=before.pretty_text, seed=7)
    torch.save(checkpoint, path)
    stopped.merge_from_dict({'randomness.seed': now})
    assert check_resume(stopped) == 7


def test_another_seed_is_refused(stopped, tmp_path):
    path = tmp_path / 'run' / 'iter_100.pth'
    checkpoint = torch.load(path, weights_only=False)
    before = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    before.merge_from_dict({'randomness.seed': None})
    checkpoint['meta'].update(cfg=before.pretty_text, seed=7)
    torch.save(checkpoint, path)
    stopped.merge_from_dict({'randomness.seed': 8})
    with pytest.raises(W2SError, match=r'randomness\.seed: 7 there, 8 now'):
        check_resume(stopped)


def test_paths_of_another_file_backend_are_not_looked_for(data):
    remote = dataset(data, ann_file='nothing.json')
    with pytest.raises(W2SError, match='nothing'):
        check_data(config({**remote, 'backend_args': {'backend': 'local'}}), SPLITS)
    check_data(config({**remote, 'backend_args': {'backend': 'petrel'}}), SPLITS)
