"""The command on tiny digit scenes and on the noisy digits; its words are in tests/analysis."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner

from w2s_mm.commands.diagnose import diagnose, images_of
from w2s_mm.commands.teacher_evaluation import diagnosed_head
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json

DIGITS = Path(__file__).parents[2] / 'configs/digits'
# Teacher and student of one architecture, so that the same weights are the same answers.
SCENES = """
_base_ = '{digits}/{family}_student.py'
model = dict(
    teacher=dict(config='{digits}/{family}_baseline.py', checkpoint='teacher.pth'),
)
val_dataloader = dict(batch_size=3, dataset=dict(data_root='{scenes}/'))
val_evaluator = dict(ann_file='{scenes}/annotations/val.json')
"""
CLASSIFIER = """
_base_ = '{digits}/classifier_student.py'
model = dict(
    teacher=dict(config='{digits}/classifier_baseline.py', checkpoint='teacher.pth'),
)
"""


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'scenes'
    write_digit_scenes(root, num_train=1, num_val=8, size=64)
    return root


def run_of(folder, state, metric, value):
    """The work directory of a finished run with these weights."""
    folder.mkdir()
    torch.save({'state_dict': state}, folder / 'iter_20.pth')
    (folder / 'last_checkpoint').write_text('/elsewhere/iter_20.pth')  # moved since
    point = {'iter': 20, 'epoch': 1, 'train_seconds': 1, 'wall_seconds': 1, 'value': value}
    told = {'format': 1, 'metric': metric, 'rule': 'greater', 'hits_in_a_row': 2, 'seed': 0}
    told |= {'max_iters': 20, 'finished': True, 'history': [point], 'config': 'x'}
    tau = 30 if value > 1 else 0.3
    write_json(folder / 'time_to_target.json', {**told, 'targets': [{'threshold': tau}]})


@pytest.fixture
def case(tmp_path, monkeypatch, scenes):
    """``case(kind)``: a student whose taught run has the teacher's own weights."""
    monkeypatch.chdir(tmp_path)

    def make(kind):
        if kind == 'classifier':
            text, scope, metric = CLASSIFIER.format(digits=DIGITS), 'mmpretrain', 'accuracy/top1'
        else:
            facts = dict(digits=DIGITS, scenes=scenes, family=kind)
            text, scope, metric = SCENES.format(**facts), 'mmdet', 'coco/bbox_mAP_50'
        Path('based.py').write_text(text)
        cfg = Config.fromfile('based.py')
        if kind == 'retinanet':
            cfg.model.test_cfg.nms_pre = 20
        cfg.dump('student.py')
        states = []
        with DefaultScope.overwrite_default_scope(scope), torch.random.fork_rng():
            for seed in (0, 1):
                torch.manual_seed(seed)
                plain = Config.fromfile(cfg.model.teacher.config).model
                model = MODELS.build(plain)
                for parameter in model.parameters():
                    parameter.data.add_(torch.randn_like(parameter), alpha=0.03)
                bias = dict(model.named_parameters()).get('bbox_head.retina_cls.bias')
                if bias is not None:
                    bias.data.fill_(-1.5)  # sure enough to be taught
                states.append(model.state_dict())
        torch.save(states[0], 'teacher.pth')
        scale = 100 if kind == 'classifier' else 1
        run_of(tmp_path / 'base', states[1], metric, 0.4 * scale)
        run_of(tmp_path / 'ours', states[0], metric, 0.5 * scale)
        return ['student.py', '--baseline-run', 'base', '--student-run', 'ours', '--json', 'd.json']

    return make


@pytest.mark.parametrize(
    'kind',
    [
        pytest.param('retinanet', marks=pytest.mark.slow),
        pytest.param('faster_rcnn', marks=pytest.mark.slow),
        'classifier',
    ],
)
def test_a_student_equal_to_its_teacher_has_cka_1_and_kl_0(case, kind, capsys, monkeypatch):
    # An untrained detector finds nothing: what it is worth is not the question here.
    monkeypatch.setattr(
        'w2s_mm.core.metric.pick_metric', lambda _, name, rule: 35 if 'top' in name else 0.35
    )
    diagnose([*case(kind), '--minibatch', '4'])
    told = json.loads(Path('d.json').read_text())
    assert told['student']['cka'] == pytest.approx(1, abs=1e-3)
    assert told['baseline']['cka'] < told['student']['cka'] - 1e-4
    assert told['student']['kl'] == pytest.approx(0, abs=1e-4)
    assert told['baseline']['kl'] > 1e-3 and told['baseline']['answers'] > 0
    assert told['student']['images'] == (5 * 397 if kind == 'classifier' else 8)
    assert told['verdict'] == 'suitable' and told['speedup'] == '1.00x'
    assert (
        'closer to the teacher than the baseline, in features and in predictions'
        in capsys.readouterr().out
    )


def test_weights_of_another_model_are_refused(case, monkeypatch):
    arguments = case('classifier')
    torch.save({'state_dict': {'x': torch.zeros(1)}}, 'ours/iter_20.pth')
    with pytest.raises(W2SError, match=r'ours/iter_20\.pth does not fit the W2SImageClassifier'):
        diagnose(arguments)


def test_a_validation_without_labels_is_said(case, monkeypatch):
    def loss(*_):
        raise AttributeError("'DataSample' object has no attribute 'gt_label'")

    arguments = case('classifier')
    monkeypatch.setattr('mmpretrain.models.ImageClassifier.loss', loss)
    with pytest.raises(W2SError, match='must load the annotations'):
        diagnose(arguments)


@pytest.mark.slow
def test_a_validation_of_seeds_gives_way_to_the_training_images_once_in_their_order():
    cfg = Config.fromfile(DIGITS / 'ddpm_baseline.py')
    seeds = {'type': 'SamplingSeeds', 'count': 3}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        val_loader = SimpleNamespace(dataset=DATASETS.build(seeds))
        runner = SimpleNamespace(
            cfg=cfg, val_dataloader=val_loader, build_dataloader=Runner.build_dataloader
        )
        batches = list(images_of(runner))
        images = DATASETS.build(cfg.train_dataloader.dataset)
    found = [image for batch in batches for image in batch['inputs']]
    assert len(found) == len(images) == 1400
    assert all(torch.equal(found[i], images[i]['inputs']) for i in (0, 700, 1399))


def test_a_config_without_a_teacher_is_refused():
    arguments = ['--baseline-run', 'base', '--student-run', 'ours']
    with pytest.raises(W2SError, match=r'has no model\.teacher'):
        diagnose(['w2s_mm::digits/classifier_baseline.py', *arguments])


def test_a_student_without_a_probe_is_refused():
    student = SimpleNamespace(distill_heads=[SimpleNamespace(probe=lambda: None)])
    with pytest.raises(W2SError, match=r'No distill head .* can be diagnosed \(SimpleNamespace\)'):
        diagnosed_head(student)
    probe = object()
    student.distill_heads.append(SimpleNamespace(probe=lambda: probe))
    assert diagnosed_head(student) == (student.distill_heads[1], probe)
