import pytest
import torch

from tests.conftest import BOX_LOSSES, TWO_STAGE


@pytest.fixture
def make_family(detector, build, save_teacher, make_rcnn_student):
    """``make_family(family, mode)``: a student of that family and of a teacher of its own kind."""

    def student(family, mode='l1', teacher=None, changes=None, **head):
        config = detector(family, changes)
        teacher = teacher or save_teacher(config)
        if family in TWO_STAGE:
            return make_rcnn_student(config, teacher, box=mode, **head)
        torch.manual_seed(0)
        distill_head = {'type': 'DenseDistillHead', **BOX_LOSSES[mode]}
        return build(
            {
                **config,
                'type': f'W2S{family}',
                'teacher': teacher,
                'distill_head': distill_head,
                **head,
            }
        ).train()

    return student
