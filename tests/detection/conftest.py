import pytest
import torch
from mmengine.logging import MessageHub

from tests.detector_parts import BOX_LOSSES
from tests.one_stage import SOFTMAX
from tests.two_stage import TWO_STAGE


def batch_norms_in_eval_mode(model):
    """With the statistics that a teacher uses; some heads have no loss in evaluation mode."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()


@pytest.fixture(autouse=True)
def _first_iteration():
    """TOOD asks the message hub for the epoch, YOLOX's preprocessor for the iteration."""
    hub = MessageHub.get_current_instance()
    hub.update_info('epoch', 0)
    hub.update_info('iter', 0)


@pytest.fixture
def make_family(detector, build, save_teacher, make_rcnn_student):
    """``make_family(family, mode)``: a student of that family and of a teacher of its own kind."""

    def student(family, mode='l1', teacher=None, changes=None, **head):
        config = detector(family, changes)
        teacher = teacher or save_teacher(config)
        if family in TWO_STAGE:
            return make_rcnn_student(config, teacher, box=mode, **head)
        torch.manual_seed(0)
        loss = 'KLDistillLoss' if family in SOFTMAX else 'FocalLogitDistillLoss'
        distill_head = {'type': 'DenseDistillHead', 'loss_cls': {'type': loss}, **BOX_LOSSES[mode]}
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
