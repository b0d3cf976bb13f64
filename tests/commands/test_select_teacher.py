"""The command on tiny digit scenes; its table and its rules are tested in tests/analysis."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS, MODELS, DefaultScope
from mmengine.runner import ValLoop

from w2s_mm.commands.select_teacher import find_checkpoints, select
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils.errors import W2SError

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / 'configs/digits'
STUDENT = """
_base_ = '{digits}/retinanet_student.py'
model = dict(teacher=dict(config='weak.py'))
val_dataloader = dict(batch_size=3, dataset=dict(data_root='{scenes}/'))
val_evaluator = dict(_delete_=True, type='TopScore')
default_hooks = dict(weak_to_strong=dict(metric='toy/top_score'))
"""


AP50 = ('--cfg-options', 'default_hooks.weak_to_strong.metric=coco/bbox_mAP_50')
NO_DATA = ('--cfg-options', 'val_dataloader.dataset.data_root=not/there/')


@METRICS.register_module(force=True)
class TopScore(BaseMetric):
    """Mean of the best score of each image in percent; nothing where no box was found."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        scores = [sample['pred_instances']['scores'] for sample in data_samples]
        self.results += [float(found.max()) for found in scores if len(found)]

    def compute_metrics(self, results):
        return {'top_score': 100 * sum(results) / len(results)} if results else {}


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'scenes'
    write_digit_scenes(root, num_train=1, num_val=4, size=64)
    return root


@pytest.fixture(scope='module')
def configs(scenes, tmp_path_factory):
    """``student.py`` and its teacher's ``weak.py``, without bases that take long to read."""
    folder = tmp_path_factory.mktemp('configs')
    (folder / 'based.py').write_text(STUDENT.format(digits=DIGITS, scenes=scenes))
    Config.fromfile(folder / 'based.py').dump(folder / 'student.py')
    weak = Config.fromfile(DIGITS / 'retinanet_teacher.py')
    weak.model.test_cfg.nms_pre = 10
    weak.dump(folder / 'weak.py')
    return folder


@pytest.fixture(scope='module')
def teacher(configs):
    """An untrained teacher of ours."""
    cfg = Config.fromfile(configs / 'weak.py')
    with DefaultScope.overwrite_default_scope('mmdet'), torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS.build(cfg.model)


@pytest.fixture
def checkpoint(teacher, tmp_path):
    """``checkpoint(name, score)``: a teacher that gives every class this score everywhere."""

    def save(name, score, classes=None):
        state = {key: value.clone() for key, value in teacher.state_dict().items()}
        state['bbox_head.retina_cls.weight'].zero_()
        state['bbox_head.retina_cls.bias'].fill_(math.log(score / (1 - score)))
        path = tmp_path / 'run' / name
        path.parent.mkdir(exist_ok=True)
        meta = {'dataset_meta': {'classes': classes}} if classes else {}
        torch.save({'state_dict': state, 'meta': meta}, path)
        return path

    return save


@pytest.fixture
def student(configs, tmp_path, monkeypatch):
    """Name of the student's config in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ('student.py', 'weak.py'):
        shutil.copy(configs / name, name)
    return 'student.py'


@pytest.fixture
def no_evaluation(monkeypatch):
    monkeypatch.setattr(ValLoop, 'run', lambda loop: pytest.fail('it evaluates'))


def test_a_run_is_evaluated_and_the_suitable_checkpoint_is_ready_to_paste(
    student, checkpoint, capsys, tmp_path
):
    for name, score in (('iter_20.pth', 0.36), ('iter_100.pth', 0.45), ('iter_3.pth', 0.2)):
        checkpoint(name, score)
    select([student, '--run', 'run', '--baseline', '40', '--json', 'j.json', '--out', 'o.py'])
    shown = capsys.readouterr()
    table = [line.split() for line in shown.out.splitlines() if line.strip().startswith('iter_')]
    entropy = [
        10 * (-p * math.log(p) - (1 - p) * math.log(1 - p))  # ten classes, each yes or no
        for p in (0.2, 0.36, 0.45)
    ]
    assert table == [
        ['iter_3.pth', '20.0', '-50.0', '%', f'{entropy[0]:.3f}', 'too', 'weak'],
        ['iter_20.pth', '36.0', '-10.0', '%', f'{entropy[1]:.3f}', 'recommended'],
        ['iter_100.pth', '45.0', '+12.5', '%', f'{entropy[2]:.3f}', 'too', 'strong'],
    ]
    assert 'model.teacher.checkpoint=run/iter_20.pth' in shown.out
    assert '[3/3] run/iter_100.pth' in shown.err

    told = json.loads(Path('j.json').read_text())
    assert told['metric'] == 'toy/top_score' and told['recommended'] == 'run/iter_20.pth'
    assert [each['value'] for each in told['candidates']] == pytest.approx([20, 36, 45])
    # 4 images of 64 px, 16 x 16 + 8 x 8 + 4 x 4 places, 2 anchors each
    assert {each['answers'] for each in told['candidates']} == {4 * 336 * 2}
    pasted = eval(f'dict({Path("o.py").read_text()})')['teacher']
    assert pasted == {'config': 'weak.py', 'checkpoint': 'run/iter_20.pth'}
    assert (tmp_path / 'work_dirs/student_teachers').is_dir()


@pytest.mark.slow
def test_what_was_measured_is_kept_through_an_interruption(
    student, checkpoint, capsys, monkeypatch
):
    checkpoint('epoch_1.pth', 0.3)
    checkpoint('epoch_2.pth', 0.36)
    command = [student, '--run', 'run', '--baseline', '40']
    evaluate, runs = ValLoop.run, []

    def interrupted(loop):
        runs.append(loop)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return evaluate(loop)

    monkeypatch.setattr(ValLoop, 'run', interrupted)
    with pytest.raises(SystemExit) as stopped:
        select(command)
    assert stopped.value.code == 130
    assert 'Run the same command again' in capsys.readouterr().err
    select(command)
    assert len(runs) == 3  # only the second one again
    first = capsys.readouterr().out
    select(command)
    assert len(runs) == 3
    assert capsys.readouterr().out == first
    select([*command, '--cfg-options', 'model.distill_head.score_thr=0.33'])
    assert len(runs) == 5  # what counts as an answer has changed, and the entropy with it
    assert ['30.0', '-25.0', '%', '-', 'too', 'weak'] in [
        line.split()[1:] for line in capsys.readouterr().out.splitlines()
    ]


def test_what_cannot_be_evaluated_is_in_the_table_beside_the_others(student, checkpoint, capsys):
    checkpoint('iter_1.pth', 0.36)
    checkpoint('iter_2.pth', 0.36, classes=tuple('abcdefghij'))
    damaged = checkpoint('iter_3.pth', 0.36)
    damaged.write_bytes(damaged.read_bytes()[:200])
    select([student, '--run', 'run', '--checkpoints', 'not/there.pth', '--baseline', '40'])
    shown = capsys.readouterr().out
    assert 'Recommended: run/iter_1.pth' in shown
    assert shown.count('  not evaluated') == 3
    assert 'Not evaluated: iter_2.pth: run/iter_2.pth was trained on other classes' in shown
    assert 'Not evaluated: iter_3.pth: Checkpoint run/iter_3.pth cannot be read' in shown
    assert 'Not evaluated: there.pth: Checkpoint not found: not/there.pth' in shown


def test_a_metric_that_is_nan_is_no_figure(student, checkpoint, capsys, monkeypatch):
    checkpoint('iter_1.pth', 0.36)
    monkeypatch.setattr(TopScore, 'compute_metrics', lambda *_: {'top_score': math.nan})
    with pytest.raises(W2SError, match=r'run/iter_1\.pth: its top_score is nan'):
        select([student, '--run', 'run', '--baseline', '40'])


def test_a_teacher_that_does_not_fit_is_refused_before_anything_is_evaluated(
    student, checkpoint, no_evaluation
):
    checkpoint('iter_1.pth', 0.3)
    checkpoint('iter_2.pth', 0.36)
    command = [student, '--run', 'run', '--baseline', '40']
    path = Path('other.py')
    path.write_text(
        "_base_ = 'weak.py'\n"
        'model = dict(bbox_head=dict(anchor_generator=dict(strides=[8, 16, 32])))\n'
    )
    with pytest.raises(W2SError, match=r'teacher .*, student'):
        select([*command, '--teacher-config', 'other.py'])
    with pytest.raises(W2SError, match=r'^model\.teacher\.config not found: no\.py[^\n]*$'):
        select([*command, '--teacher-config', 'no.py'])
    path.write_text("_base_ = 'weak.py'\nmodel = dict(bbox_head=dict(feat_channels=8))\n")
    with pytest.raises(W2SError, match=r'None of the 2 .*\n.*iter_1\.pth.*\n.*iter_2\.pth'):
        select([*command, '--teacher-config', 'other.py'])


def test_nothing_in_the_band_is_exit_status_1_and_no_snippet(student, checkpoint, scenes, capsys):
    """With the evaluator of COCO, for which an untrained detector finds nothing."""
    checkpoint('iter_1.pth', 0.06)
    options = [
        'default_hooks.weak_to_strong.metric=coco/bbox_mAP_50',
        'val_evaluator.type=CocoMetric',
        f'val_evaluator.ann_file={scenes}/annotations/val.json',
    ]
    command = [student, '--run', 'run', '--baseline', '0.4', '--json', 'j.json', '--out', 'o.py']
    with pytest.raises(SystemExit) as stopped:
        select([*command, '--cfg-options', *options])
    assert stopped.value.code == 1
    shown = capsys.readouterr().out
    assert 'No checkpoint is in the band.' in shown and 'o.py is not written' in shown
    assert json.loads(Path('j.json').read_text())['recommended'] is None
    assert not Path('o.py').exists()


def test_baseline_from_its_runs(student, checkpoint, capsys):
    for seed, best in enumerate((38, 42)):
        point = {'iter': 1, 'epoch': 1.0, 'train_seconds': 1.0, 'wall_seconds': 1.0, 'value': best}
        told = {
            'format': 1,
            'metric': 'toy/top_score',
            'rule': 'greater',
            'seed': seed,
            'hits_in_a_row': 2,
            'max_iters': 1,
            'finished': True,
            'history': [point],
            'targets': [],
        }
        Path(f'base_{seed}').mkdir()
        Path(f'base_{seed}/time_to_target.json').write_text(json.dumps(told))
    checkpoint('iter_1.pth', 0.36)
    select([student, '--run', 'run', '--baseline-run', 'base_0', 'base_1'])
    shown = capsys.readouterr().out
    assert 'Baseline top_score 40.0 (mean of the best validations of 2 runs' in shown
    assert 'run/iter_1.pth, 10 % below the baseline' in shown


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (['--run', 'run', '--baseline', '40', '--band', '15'], r'For 15 % type: --band 0\.15'),
        (['--run', 'run', '--baseline', '0'], 'The given baseline is 0'),
        (['--run', 'run', '--baseline-run', 'run'], 'run has no time_to_target.json'),
        (['--run', 'nowhere', '--baseline', '40'], 'nowhere is not a directory'),
        (['--run', 'empty', '--baseline', '40'], r'empty has no checkpoint \(\*\.pth\)'),
        (['--baseline', '40'], 'Give --checkpoints FILE or --run RUN_DIR'),
        (
            [*AP50, '--run', 'run', '--baseline', '41.5'],
            r'Write 41\.5 % as 0\.415',
        ),
        (
            ['--run', 'run', '--baseline', '40', '--cfg-options', 'val_evaluator=None'],
            'has no validation',
        ),
        (
            [*NO_DATA, '--run', 'run', '--baseline', '40'],
            r'val_dataloader: not/there.*digit.scenes',
        ),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(student, checkpoint, options, match, tmp_path):
    checkpoint('iter_1.pth', 0.36)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(W2SError, match=match):
        select([student, *options])
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize(
    ('config', 'match'),
    [
        ("_base_ = 'weak.py'", r'has no model\.teacher'),
        (
            "_base_ = 'based.py'\ndefault_hooks = dict(weak_to_strong=None)",
            r'has no WeakToStrongHook',
        ),
    ],
)
def test_a_config_that_is_no_students_is_refused(student, config, match):
    shutil.copy(student, 'based.py')
    Path(student).write_text(config)
    with pytest.raises(W2SError, match=match):
        select([student, '--run', 'run', '--baseline', '40'])


def test_a_metric_that_the_evaluator_does_not_report(student, checkpoint):
    checkpoint('iter_1.pth', 0.36)
    options = ['--cfg-options', 'default_hooks.weak_to_strong.metric=toy/other']
    with pytest.raises(W2SError, match=r"not report 'toy/other'. It reports: toy/top_score"):
        select([student, '--run', 'run', '--baseline', '40', *options])


def test_checkpoints_are_in_the_order_of_the_training(tmp_path):
    names = ('iter_1000.pth', 'iter_200.pth', 'best_coco_bbox_mAP_50_iter_200.pth', 'last.pth')
    for folder in ('b', 'a'):
        (tmp_path / folder).mkdir()
        for name in (*names, 'epoch_3.safetensors', 'notes.txt'):
            (tmp_path / folder / name).touch()
    files = [str(tmp_path / 'b' / name) for name in names]
    found = find_checkpoints([str(tmp_path / 'a')], files)
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == [
        'b/iter_200.pth',
        'b/best_coco_bbox_mAP_50_iter_200.pth',
        'b/iter_1000.pth',
        'b/last.pth',
        'a/epoch_3.safetensors',
        'a/iter_200.pth',
        'a/best_coco_bbox_mAP_50_iter_200.pth',
        'a/iter_1000.pth',
        'a/last.pth',
    ]
    assert find_checkpoints([str(tmp_path / 'b')], files) == find_checkpoints(
        [str(tmp_path / 'b')], []
    )
