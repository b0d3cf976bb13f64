"""What a user adds from a config alone: a module of their own, named in ``custom_imports``.

Each test writes such a module beside a config, reads the config and uses what comes out. No file of
the package knows any of it.
"""

import hashlib
import textwrap

import pytest
import torch
from mmengine.config import Config

from tests.contracts import StudentContracts
from w2s_mm.core.tape import record
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import read_config_file


@pytest.fixture
def read_config(tmp_path, monkeypatch):
    """``read_config(*sources, **settings)``: a config file read, beside modules of a user's.

    Args:
        *sources: The modules, which the config imports. Equal ones are imported once.
        **settings: What else the config file says.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def read(*sources, **settings):
        names = []
        for source in map(textwrap.dedent, sources):
            names.append(f'user_module_{hashlib.sha256(source.encode()).hexdigest()[:8]}')
            (tmp_path / f'{names[-1]}.py').write_text(source)
        imports = {'custom_imports': {'imports': ['w2s_mm.detection', *names]}}
        Config({**imports, **settings}).dump(tmp_path / 'config.py')
        return read_config_file(str(tmp_path / 'config.py'))

    return read


@pytest.fixture
def distilled(read_config, build, save_teacher):
    """``distilled(*sources, plain, head)``: a student of a config, and of a teacher of its kind.

    Args:
        *sources: The modules that the config imports.
        plain: The plain detector's config.
        head: The distill head's.
    """

    def student(*sources, plain, head):
        model = {**plain, 'type': 'W2S' + plain['type'], 'distill_head': head}
        cfg = read_config(*sources, model=model)
        cfg.model.teacher = save_teacher(plain)
        torch.manual_seed(0)
        made = build(cfg.model).train()
        made.prepare_teacher()
        made.set_distillation(1.0, 2.0)
        return made

    return student


MARGIN = """
    from mmengine.registry import MODELS
    from torch import nn

    @MODELS.register_module()
    class MarginLoss(nn.Module):
        def __init__(self, margin=0.0):
            super().__init__()
            self.margin = margin

        def forward(self, pred, target, weight=None, avg_factor=None):
            away = ((pred - target).abs() - self.margin).clamp(min=0)
            return away.sum() / avg_factor
"""


def test_a_loss(distilled, retinanet, make_batch):
    head = {'type': 'DenseDistillHead', 'loss_cls': {'type': 'MarginLoss', 'margin': 0.25}}
    student = distilled(MARGIN, plain=retinanet(), head=head)
    inputs, samples = make_batch(student)
    with record(student, ['bbox_head']) as tape:
        losses = student.loss(inputs, samples)
    ours = tape.last('bbox_head').output[0]
    theirs = student.teacher.answer(student, inputs, samples)[0][0]
    expected, count = 0.0, 0
    for s, t in zip(ours, theirs, strict=True):
        s, t = (side.permute(0, 2, 3, 1).reshape(-1, 3) for side in (s, t))
        chosen = t.sigmoid().amax(-1) >= 0.2
        count += chosen.sum()
        expected += 4 * ((s - t)[chosen].abs() / 2 - 0.25).clamp(min=0).sum()  # T = 2
    assert count > 100
    torch.testing.assert_close(losses['loss_distill_cls'], expected / count)


WHERE_RIGHT = """
    from mmengine.registry import MODELS
    from torch import nn
    from w2s_mm.losses import softmax_kl

    @MODELS.register_module()
    class KLWhereTeacherIsRight(nn.Module):
        def forward(self, pred, target, weight=None, avg_factor=None, labels=None):
            right = target.argmax(-1) == labels
            return (right * softmax_kl(pred, target)).sum() / avg_factor
"""


def test_a_loss_that_asks_for_labels(distilled, faster_rcnn, make_batch):
    head = {'type': 'RoIDistillHead', 'loss_cls': {'type': 'KLWhereTeacherIsRight'}}
    student = distilled(WHERE_RIGHT, plain=faster_rcnn(), head=head)
    seen = []
    student.distill_heads[0].loss_cls.register_forward_hook(
        lambda _, args, kwargs, value: seen.append((args, kwargs, value)), with_kwargs=True
    )
    losses = student.loss(*make_batch(student))
    (((_, target), given, value),) = seen
    assert 0 < len(given['labels']) == len(target)
    assert losses['loss_distill_cls'] == 4 * value > 0  # T = 2


FAMILY = """
    from mmdet.models import AutoAssign
    from mmengine.registry import MODELS
    from w2s_mm.core.student import WeakToStrong

    @MODELS.register_module()
    class W2SAutoAssign(WeakToStrong, AutoAssign):
        pass
"""
HEAD = """
    from mmdet.models.dense_heads import AutoAssignHead
    from mmengine.registry import MODELS
    from w2s_mm.detection import BoxCode, box_code

    @MODELS.register_module()
    class OwnHead(AutoAssignHead):
        pass

    class OwnCode(BoxCode):
        def encoded(self, rows, strides):
            return rows / strides

        def corners(self, priors, encoded, strides):
            return self.coder.decode(priors, encoded * strides)

    @box_code.register
    def _(head: OwnHead) -> BoxCode:
        return OwnCode(head)
"""


@pytest.fixture
def auto_assign(retinanet):
    """``auto_assign(head)``: a tiny AutoAssign (arXiv 2007.03496), not known to the package."""

    def config(head='AutoAssignHead'):
        bbox_head = {
            'type': head,
            'num_classes': 3,
            'in_channels': 16,
            'feat_channels': 16,
            'stacked_convs': 1,
            'strides': [8, 16],
            'regress_ranges': ((-1, 24), (24, 1e8)),
            'norm_cfg': {'type': 'GN', 'num_groups': 4},
            'loss_bbox': {'type': 'GIoULoss', 'loss_weight': 5.0},
        }
        return {**retinanet(), 'type': 'AutoAssign', 'bbox_head': bbox_head, 'train_cfg': None}

    return config


class TestADetectorFamilyInTwoLines(StudentContracts):
    TERMS = frozenset({'cls'})

    @pytest.fixture
    def twins(self, distilled, auto_assign, build, make_batch):
        student = distilled(FAMILY, plain=auto_assign(), head={'type': 'DenseDistillHead'})
        torch.manual_seed(0)
        return student, build(auto_assign()).train(), make_batch(student)


FORMS = {'encoded': 'mmdet.L1Loss', 'corners': 'mmdet.GIoULoss'}


def head_with_boxes(form):
    return {'type': 'DenseDistillHead', 'box_form': form, 'loss_bbox': {'type': FORMS[form]}}


@pytest.mark.parametrize('form', FORMS)
def test_a_box_code(distilled, auto_assign, make_batch, form):
    student = distilled(FAMILY, HEAD, plain=auto_assign('OwnHead'), head=head_with_boxes(form))
    batch = make_batch(student)
    losses = student.loss(*batch)
    assert losses['loss_distill_cls'] > 0 and losses['loss_distill_bbox'] > 0
    student.parse_losses(losses)[0].backward()
    assert student.bbox_head.conv_reg.weight.grad.any()
    student.eval().load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
    for term in ('cls', 'bbox'):
        assert student.loss(*batch)[f'loss_distill_{term}'].item() == pytest.approx(0, abs=1e-4)


def test_a_box_codes_corners_are_the_boxes_of_the_head(distilled, auto_assign, make_batch):
    student = distilled(FAMILY, HEAD, plain=auto_assign('OwnHead'), head=head_with_boxes('corners'))
    seen = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(
        lambda _, args: seen.append(args[1])
    )
    inputs, samples = make_batch(student)
    student.loss(inputs, samples)
    teacher = student.teacher.model
    config = teacher.bbox_head.test_cfg.copy()
    config.update(score_thr=0.2, nms_pre=10_000)
    with torch.no_grad():
        maps = teacher.bbox_head(teacher.extract_feat(inputs))
        metas = [sample.metainfo for sample in samples]
        predicted = teacher.bbox_head.predict_by_feat(
            *maps, batch_img_metas=metas, cfg=config, with_nms=False
        )
    expected = torch.cat([result.bboxes for result in predicted]).unique(dim=0)
    found = seen[0].clamp(min=0, max=64)
    apart = (expected[:, None] - found).abs().amax(-1)
    assert len(expected) > 20
    assert apart.amin(1).max() < 1e-3


def test_a_family_whose_boxes_are_unknown_is_told_how_to_add_them(distilled, auto_assign):
    with pytest.raises(
        W2SError, match=r'AutoAssignHead.*registered with w2s_mm\.detection\.box_code'
    ):
        distilled(FAMILY, plain=auto_assign(), head=head_with_boxes('corners'))
