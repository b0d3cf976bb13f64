import copy
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from torch.utils._pytree import tree_leaves

from w2s_mm.core.frozen_model import for_inference
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import rng_state

STOCK = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'


@pytest.fixture
def teacher(make_teacher):
    return FrozenTeacher(**make_teacher())


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def answers(model):
    images = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return torch.cat([m.flatten() for side in model(images, mode='tensor') for m in side])


def plain(build, teacher):
    model = build(teacher.config).eval()
    model.load_state_dict(torch.load(teacher.checkpoint)['state_dict'])
    return model


def test_built_on_first_use_frozen_and_answers_like_the_plain_model(teacher, build):
    assert teacher._model is None
    model = teacher.model
    assert teacher.model is model
    torch.testing.assert_close(answers(model), answers(plain(build, teacher)), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_student_does_not_contain_the_teacher(make_student, retinanet, build):
    student = make_student()
    student.prepare_teacher()
    plain = build(retinanet())
    assert list(student.state_dict()) == list(plain.state_dict())
    assert [n for n, _ in student.named_parameters()] == [n for n, _ in plain.named_parameters()]
    assert [n for n, _ in student.named_buffers()] == [n for n, _ in plain.named_buffers()]
    inside = set(map(id, student.modules()))
    assert not inside & set(map(id, student.teacher.model.modules()))


def test_student_modes_and_dtypes_do_not_reach_it(make_student):
    student = make_student()
    student.prepare_teacher()
    student.train()
    student.double()
    student.requires_grad_(True)
    model = student.teacher.model
    assert not any(module.training for module in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in model.parameters())


def test_copies_of_the_student_share_it(make_student):
    student = make_student()
    before = copy.deepcopy(student)
    student.prepare_teacher()
    after = copy.deepcopy(student)
    assert before.teacher is student.teacher is after.teacher
    assert after.backbone is not student.backbone


def test_building_takes_no_random_numbers(teacher):
    states = rng_state(), random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    teacher.load()
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()
    assert torch.equal(torch.get_rng_state(), states[3])


def test_training_the_student_changes_nothing_in_it(make_student, make_batch):
    student = make_student()
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    before = weights(student.teacher.model)
    own = weights(student)
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-3, momentum=0.9)
    for step in range(3):
        losses = student.loss(*make_batch(student, seed=step))
        loss, _ = student.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_same(weights(student.teacher.model), before)
    assert all(p.grad is None for p in student.teacher.model.parameters())
    assert not any(module.training for module in student.teacher.model.modules())
    assert not torch.equal(own['neck.lateral_convs.0.conv.weight'],
                           student.neck.lateral_convs[0].conv.weight)  # fmt: skip


def test_released_teacher_refuses_and_is_forgotten(teacher):
    import gc
    import weakref

    gone = weakref.ref(teacher.model)
    teacher.release()
    gc.collect()
    assert gone() is None
    with pytest.raises(W2SError, match='released'):
        teacher.load()
    teacher.release()  # a second time does nothing


def test_fingerprint_tells_weights_and_configurations_apart(make_teacher):
    def fingerprint(arguments):
        teacher = FrozenTeacher(**arguments)
        teacher.load()
        return teacher.fingerprint

    first = make_teacher()
    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(make_teacher(seed=2))
    other = copy.deepcopy(first)
    other['config']['test_cfg']['score_thr'] = 0.3
    assert fingerprint(first) != fingerprint(other)


def test_classes_come_from_the_checkpoint(teacher):
    content = torch.load(teacher.checkpoint)
    torch.save({**content, 'meta': {'dataset_meta': {'classes': ['a', 'b']}}}, teacher.checkpoint)
    teacher.load()
    assert teacher.classes == ('a', 'b')


@pytest.mark.parametrize(
    'meta', [{}, None, {'dataset_meta': None}, {'dataset_meta': {'classes': 5}}, [1], 'text']
)
def test_checkpoint_without_classes(teacher, meta):
    content = torch.load(teacher.checkpoint)
    torch.save({**content, 'meta': meta}, teacher.checkpoint)
    teacher.load()
    assert teacher.classes is None


def test_config_by_path(make_teacher, tmp_path):
    arguments = make_teacher()
    path = tmp_path / 'teacher.py'
    Config({'default_scope': 'mmdet', 'model': arguments['config']}).dump(path)
    teacher = FrozenTeacher(str(path), arguments['checkpoint'])
    with DefaultScope.overwrite_default_scope('mmengine'):  # the student may be in another
        assert type(teacher.model).__name__ == 'RetinaNet'


def test_config_by_whole_dict(make_teacher):
    arguments = make_teacher()
    whole = {'default_scope': 'mmdet', 'model': arguments['config'], 'train_cfg': None}
    with DefaultScope.overwrite_default_scope('mmengine'):
        assert type(FrozenTeacher(whole, arguments['checkpoint']).model).__name__ == 'RetinaNet'


def test_config_by_name(build, tmp_path):
    config = get_config(STOCK)
    model = build(config.model)
    torch.save(model.state_dict(), tmp_path / 'r18.pth')
    teacher = FrozenTeacher(STOCK, str(tmp_path / 'r18.pth'))
    torch.testing.assert_close(answers(teacher.model), answers(model.eval()), rtol=1e-3, atol=1e-3)


def test_safetensors_teacher(teacher):
    from safetensors.torch import save_file

    path = teacher.checkpoint.replace('.pth', '.safetensors')
    save_file(torch.load(teacher.checkpoint)['state_dict'], path)
    same = FrozenTeacher(teacher.config, path)
    assert_same(weights(same.model), weights(teacher.model))
    assert same.fingerprint == teacher.fingerprint


def test_batch_norm_is_folded_into_the_convolutions(teacher):
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in teacher.model.modules())


@pytest.fixture
def two_stage(faster_rcnn, save_teacher):
    """A Faster R-CNN: it cannot be asked with images alone."""
    return FrozenTeacher(**save_teacher(faster_rcnn()))


def test_features_of_a_two_stage_teacher_arefor_inference(two_stage):
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in two_stage.model.backbone.modules())


def test_folded_two_stage_detector_predicts_what_it_did(two_stage, build, make_raw):
    whole = plain(build, two_stage)
    folded = for_inference(plain(build, two_stage))
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in whole.modules())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    expected, found = (model.test_step(make_raw()) for model in (whole, folded))
    assert sum(len(result.pred_instances) for result in expected) > 10
    for a, b in zip(found, expected, strict=True):
        a, b = a.pred_instances, b.pred_instances
        torch.testing.assert_close(a.bboxes, b.bboxes, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(a.scores, b.scores, rtol=1e-3, atol=1e-3)
        assert torch.equal(a.labels, b.labels)


def test_folded_two_stage_teacher_has_the_features_of_the_plain_one(two_stage, build):
    images = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        expected = plain(build, two_stage).extract_feat(images)
        found = two_stage.model.extract_feat(images)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('kind', ['DCN', 'DCNv2'])
def test_deformable_convolutions_answer_like_the_plain_model(make_teacher, build, kind):
    changes = {
        'backbone.depth': 50,
        'neck.in_channels': [64, 128],
        'backbone.dcn': dict(type=kind, deform_groups=1, fallback_on_stride=False),
        'backbone.stage_with_dcn': (False, False, True),
    }
    teacher = FrozenTeacher(**make_teacher(changes))
    torch.testing.assert_close(
        answers(teacher.model), answers(plain(build, teacher)), rtol=1e-3, atol=1e-3
    )


def test_norms_that_share_a_convolution_are_left_alone():
    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)
            self.norm = torch.nn.BatchNorm2d(4)
            self.other_norm = torch.nn.BatchNorm2d(4)
            torch.nn.init.normal_(self.norm.weight)

        def forward(self, images, mode):
            features = self.conv(images)
            return self.norm(features), self.other_norm(features)

    model = Shared().eval()
    assert for_inference(model) is model


def test_operators_that_misread_channels_last_keep_the_plain_layout(two_stage, teacher):
    """mmcv's RoIAlign gives other numbers for such maps, without a word."""
    images = torch.randn(2, 3, 96, 64)
    assert all(level.is_contiguous() for level in two_stage.model.extract_feat(images))
    assert not teacher.model.backbone.layer1[0].conv1.weight.is_contiguous()


def test_models_that_need_more_than_images_are_left_alone():
    class Conditional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, images, time):
            return self.norm(images) * time

    model = Conditional().eval()
    assert for_inference(model) is model


@pytest.mark.parametrize('config', ['no/such/config.py', 'mmdet::no_such/config.py'])
def test_absent_config_is_named(config):
    with pytest.raises(W2SError, match=config):
        FrozenTeacher(config, 'c.pth').load()


def test_config_without_a_model_is_named(tmp_path):
    path = tmp_path / 'no_model.py'
    path.write_text('x = 1\n')
    with pytest.raises(W2SError, match=r'no_model\.py'):
        FrozenTeacher(str(path), 'c.pth').load()


def test_checkpoint_of_another_architecture_is_named(teacher, make_teacher):
    wider = make_teacher({'backbone.base_channels': 16, 'neck.in_channels': [32, 64]})
    with pytest.raises(W2SError, match=r'of a different shape: backbone\.') as refusal:
        FrozenTeacher(teacher.config, wider['checkpoint']).load()
    assert wider['checkpoint'] in str(refusal.value)
    assert 'model.teacher.config' in str(refusal.value)


def test_failed_load_can_be_repeated(teacher):
    checkpoint, teacher.checkpoint = teacher.checkpoint, 'nothing.pth'
    with pytest.raises(W2SError):
        teacher.load()
    teacher.checkpoint = checkpoint
    teacher.load()
    assert teacher.fingerprint


def test_sees_the_batch_its_own_way(make_student, make_teacher, make_raw, build):
    look = {
        'data_preprocessor.mean': [103.53, 116.28, 123.675],
        'data_preprocessor.std': [1.0, 1.0, 1.0],
        'data_preprocessor.bgr_to_rgb': False,
    }
    arguments = make_teacher(look)
    student = make_student(teacher=arguments)
    student.prepare_teacher()
    sizes = ((40, 64), (64, 50))
    data = student.data_preprocessor(make_raw(sizes), True)
    seen = student.teacher.see(student, data['inputs'], data['data_samples'])
    own = build(arguments['config']).data_preprocessor(make_raw(sizes), True)['inputs']
    torch.testing.assert_close(seen, own, rtol=1e-4, atol=1e-4)


def test_padding_it_cannot_have_is_refused_before_training(make_student, make_teacher):
    student = make_student(teacher=make_teacher({'data_preprocessor.pad_size_divisor': 64}))
    with pytest.raises(W2SError, match='multiple of 64'):
        student.prepare_teacher()


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_in_half_precision_its_answers_are_near_and_its_weights_stay(
    make_student, make_batch, dtype
):
    exact, half = make_student(), make_student()
    half.teacher.dtype = dtype
    answered = {}
    for name, student in (('exact', exact), ('half', half)):
        student.prepare_teacher()
        inputs, samples = make_batch(student)
        with torch.no_grad(), student.teacher.batch():
            answered[name] = student.teacher.answer(student, inputs, samples)[0]
        assert {p.dtype for p in student.teacher.model.parameters()} == {torch.float32}
    for ours, theirs in zip(
        tree_leaves(answered['half']), tree_leaves(answered['exact']), strict=True
    ):
        assert ours.dtype == getattr(torch, dtype) and theirs.dtype == torch.float32
        assert (ours.float() - theirs).norm() < 0.05 * theirs.norm()


def test_it_follows_the_precision_of_the_run_unless_it_has_its_own(make_student, make_batch):
    student = make_student()
    student.prepare_teacher()
    inputs, samples = make_batch(student)
    found = []
    for dtype in (None, 'float32'):
        student.teacher.dtype = dtype
        with torch.autocast('cpu', torch.bfloat16), torch.no_grad(), student.teacher.batch():
            answer = student.teacher.answer(student, inputs, samples)[0]
        found.append({leaf.dtype for leaf in tree_leaves(answer)})
    assert found == [{torch.bfloat16}, {torch.float32}]


def test_distillation_losses_of_a_half_precision_teacher_are_in_float32(make_student, make_batch):
    student = make_student()
    student.teacher.dtype = 'bfloat16'
    student.prepare_teacher()
    student.set_distillation(weight=1.0, temperature=2.0)
    losses = student.loss(*make_batch(student))
    assert all(
        value.dtype == torch.float32
        for name, value in losses.items()
        if name.startswith('loss_distill_')
    )


def test_an_unknown_precision_is_refused(make_teacher):
    with pytest.raises(W2SError, match=r"model\.teacher\.dtype is 'int8'"):
        FrozenTeacher(**make_teacher(), dtype='int8')
