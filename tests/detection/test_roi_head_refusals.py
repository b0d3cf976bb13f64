"""What the RoI distill head refuses, and what it does not."""

import pytest

from w2s_mm.utils.errors import W2SError


def refusal(student):
    with pytest.raises(W2SError) as refused:
        student.prepare_teacher()
    return str(refused.value)


def assert_names(message, *names):
    for name in names:
        assert name in message


def test_teacher_without_an_rpn_is_refused(make_rcnn_student, save_teacher, faster_rcnn):
    config = faster_rcnn()
    del config['rpn_head'], config['train_cfg']['rpn'], config['train_cfg']['rpn_proposal']
    teacher = save_teacher({**config, 'type': 'FastRCNN'})
    assert_names(
        refusal(make_rcnn_student(teacher=teacher)), 'FastRCNN has no rpn_head', 'two-stage'
    )


def test_teacher_of_one_stage_is_refused(make_rcnn_student, make_teacher):
    message = refusal(make_rcnn_student(teacher=make_teacher()))
    assert_names(message, 'RetinaNet has no rpn_head', 'two-stage')


def test_teacher_without_a_roi_head_is_refused(make_rcnn_student, save_teacher, faster_rcnn):
    teacher = save_teacher(faster_rcnn({'roi_head': None}))
    assert_names(
        refusal(make_rcnn_student(teacher=teacher)), 'FasterRCNN has no roi_head', 'two-stage'
    )


def test_teacher_of_other_classes_is_refused(make_rcnn_student, save_teacher, faster_rcnn):
    teacher = save_teacher(faster_rcnn({'roi_head.bbox_head.num_classes': 5}))
    message = refusal(make_rcnn_student(teacher=teacher))
    assert_names(message, 'number of classes', 'teacher 5', 'student 3')


def test_roi_size_that_does_not_fit_its_head_is_refused(
    make_rcnn_student, save_teacher, faster_rcnn
):
    changes = {'roi_head.bbox_roi_extractor.roi_layer.output_size': 5}
    message = refusal(make_rcnn_student(teacher=save_teacher(faster_rcnn(changes))))
    assert_names(message, 'FasterRCNN', '5 x 5', '7 x 7')


def test_sigmoid_roi_head_is_refused(make_rcnn_student, save_teacher, faster_rcnn):
    changes = {'roi_head.bbox_head.loss_cls.use_sigmoid': True}
    message = refusal(make_rcnn_student(teacher=save_teacher(faster_rcnn(changes))))
    assert_names(message, 'Shared2FCBBoxHead', 'CrossEntropyLoss', 'softmax')


def test_custom_activation_is_refused(make_rcnn_student, save_teacher, faster_rcnn):
    seesaw = dict(_delete_=True, type='SeesawLoss', num_classes=3)
    teacher = save_teacher(faster_rcnn({'roi_head.bbox_head.loss_cls': seesaw}))
    assert_names(refusal(make_rcnn_student(teacher=teacher)), 'SeesawLoss', 'softmax')


@pytest.mark.parametrize(('ours', 'theirs'), [(3, 2), (1, 3)])
def test_other_number_of_stages_is_refused(detector, make_rcnn_student, save_teacher, ours, theirs):
    def config(stages):
        if stages == 1:
            return detector('FasterRCNN')
        cascade = detector('CascadeRCNN')
        cascade['roi_head'].update(
            num_stages=stages,
            stage_loss_weights=[1.0] * stages,
            bbox_head=cascade['roi_head']['bbox_head'][:stages],
        )
        cascade['train_cfg']['rcnn'] = cascade['train_cfg']['rcnn'][:stages]
        return cascade

    message = refusal(make_rcnn_student(config(ours), save_teacher(config(theirs))))
    assert_names(message, 'stages', f'teacher {theirs}', f'student {ours}')


SABL = {
    'roi_head.bbox_head': dict(
        _delete_=True,
        type='SABLHead',
        num_classes=3,
        cls_in_channels=16,
        reg_in_channels=16,
        cls_out_channels=16,
        reg_offset_out_channels=16,
        reg_cls_out_channels=16,
    )
}
TBLR = {'roi_head.bbox_head.bbox_coder': dict(_delete_=True, type='TBLRBBoxCoder', normalizer=4.0)}


@pytest.mark.parametrize(
    ('changes', 'name'), [(SABL, 'SABLHead'), (TBLR, 'Shared2FCBBoxHead')], ids=['sabl', 'tblr']
)
@pytest.mark.parametrize('side', ['teacher', 'student'])
def test_head_without_box_deltas_is_refused(
    make_rcnn_student, save_teacher, faster_rcnn, changes, name, side
):
    odd, usual = faster_rcnn(changes), faster_rcnn()
    ours, theirs = (odd, usual) if side == 'student' else (usual, odd)
    message = refusal(make_rcnn_student(ours, save_teacher(theirs)))
    assert_names(message, name, 'DeltaXYWHBBoxCoder', 'model.distill_head.loss_bbox=None')


@pytest.mark.parametrize('changes', [SABL, TBLR], ids=['sabl', 'tblr'])
@pytest.mark.parametrize('side', ['teacher', 'student'])
def test_head_without_box_deltas_is_distilled_where_boxes_are_left_alone(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, changes, side
):
    odd, usual = faster_rcnn(changes), faster_rcnn()
    ours, theirs = (odd, usual) if side == 'student' else (usual, odd)
    student = make_rcnn_student(ours, save_teacher(theirs), box=None)
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    losses = student.loss(*make_batch(student))
    assert losses['loss_distill_cls'] > 0
    student.parse_losses(losses)[0].backward()


def test_roi_head_that_needs_more_than_rois_is_refused(make_rcnn_student, monkeypatch):
    student = make_rcnn_student()
    head = student.teacher.model.roi_head
    monkeypatch.setattr(head, '_bbox_forward', lambda x, rois, object_feats: None, raising=False)
    message = refusal(student)
    assert_names(message, 'StandardRoIHead', 'object_feats', 'Faster, Mask or Cascade')


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        (
            {'rpn_head.anchor_generator.ratios': [1.0, 2.0]},
            ['base anchors', 'teacher [', 'student ['],
        ),
        (
            {'rpn_head.anchor_generator.ratios': [0.5, 1.0, 2.0]},
            ['priors per location', 'teacher [3, 3]', 'student [2, 2]'],
        ),
        (
            {'rpn_head.loss_cls.use_sigmoid': False},
            ['sigmoid', 'teacher False', 'student True'],
        ),
    ],
    ids=['ratios', 'number', 'softmax'],
)
def test_other_anchors_are_refused_where_objectness_is_compared(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, changes, parts
):
    teacher = save_teacher(faster_rcnn(changes))
    assert_names(refusal(make_rcnn_student(teacher=teacher, rpn=True)), *parts)
    student = make_rcnn_student(teacher=teacher)
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    assert student.loss(*make_batch(student))['loss_distill_cls'] > 0
