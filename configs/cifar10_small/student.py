"""Small CIFAR-10 student."""

_base_ = './baseline.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='configs/cifar10_small/teacher.py',
        checkpoint='work_dirs/cifar10_small_teacher/iter_1564.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = _base_.cifar10_small_w2s_hooks
