"""Class scores as each dense head writes them, compared with those that MMDetection predicts."""

import math

import pytest
import torch
from mmdet.models.dense_heads import YOLOXHead
from mmengine.config import ConfigDict

from tests.one_stage import SOFTMAX
from w2s_mm.core.tape import Call, Tape
from w2s_mm.detection.dense import dense_answer
from w2s_mm.detection.places import confident_places, rows
from w2s_mm.detection.score_codes import score_code

KINDS = ('RetinaNet', 'YOLOF', 'VFNet', 'TOOD', 'YOLOX', *SOFTMAX)
EACH = pytest.mark.parametrize('family', KINDS)


@pytest.fixture
def head_and_output(detector, build, save_teacher):
    """``head_and_output(family)``: a head, and its output on two images."""

    def made(family):
        arguments = save_teacher(detector(family))
        model = build(arguments['config'])
        model.load_state_dict(torch.load(arguments['checkpoint'])['state_dict'])
        model.eval()
        with torch.no_grad():
            return model.bbox_head, model.bbox_head(model.extract_feat(torch.randn(2, 3, 64, 96)))

    return made


def logits_of(head, output, score_thr):
    code = score_code(head)
    maps = code.maps(output)
    places, score, _ = confident_places(code.best(maps), score_thr)
    return code.logits(rows(maps, code.channels, places)), score


def probabilities(family, logits):
    return logits.softmax(-1)[:, :-1] if family in SOFTMAX else logits.sigmoid()


@pytest.mark.parametrize('family', [kind for kind in KINDS if kind != 'YOLACT'])
def test_scores_are_those_that_mmdetection_predicts(head_and_output, family):
    """YOLACT predicts with its own NMS; its scores are read as SSD's."""
    head, output = head_and_output(family)
    found = probabilities(family, logits_of(head, output, 0.05)[0])
    if isinstance(head, YOLOXHead):  # predicts the best class alone
        found = found.amax(-1)
    predicted = head.predict_by_feat(
        *output,
        batch_img_metas=[{'img_shape': (64, 96), 'scale_factor': (1.0, 1.0)}] * 2,
        cfg=ConfigDict(score_thr=0.05, nms_pre=10_000, min_bbox_size=-1),
        with_nms=False,
    )
    expected = torch.cat([result.scores for result in predicted]).sort().values
    found = found[found > 0.05].sort().values
    assert len(expected) > 50 and expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@EACH
def test_best_class_is_that_of_the_logits(head_and_output, family):
    head, output = head_and_output(family)
    logits, score = logits_of(head, output, 1e-6)
    assert len(score) > 50
    torch.testing.assert_close(score, probabilities(family, logits).amax(-1), rtol=1e-4, atol=1e-6)


@EACH
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_gives_finite_logits_and_gradients(head_and_output, family, dtype):
    """Sure of a class, sure of none; a probability of TOOD is then 1 or 0."""
    head, output = head_and_output(family)
    code = score_code(head)
    maps = code.maps(output)
    raw = torch.randn(6, code.channels)
    raw[0], raw[1], raw[2:4, 0], raw[4, -1] = 40, -40, 40, 40
    raw = raw.to(dtype).requires_grad_()
    given = raw.sigmoid() if family == 'TOOD' else raw
    logits = code.logits(given)
    if family not in SOFTMAX:  # these leave it to the loss
        assert logits.isfinite().all()
    loss = torch.nn.functional.mse_loss(logits.float(), torch.zeros_like(logits.float()))
    loss.backward()
    assert raw.grad.isfinite().all() and raw.grad.any()
    levels = [m.to(dtype) for m in maps]
    assert all(m.dtype == torch.float32 and m.isfinite().all() for m in code.best(levels))


@EACH
def test_nan_is_not_confident_and_shows_in_the_peak(head_and_output, family):
    head, output = head_and_output(family)
    output[0][-1][0, 0, 1, 2] = math.nan
    answer = dense_answer(output, head, 1e-6, with_boxes=False)
    assert torch.isnan(answer.peak) and answer.logits.isfinite().all()


def test_product_of_class_and_objectness_is_written_out(head_and_output):
    head, _ = head_and_output('YOLOX')
    raw = 4 * torch.randn(20, 4, dtype=torch.float64)
    for row, found in zip(raw.tolist(), score_code(head).logits(raw).tolist(), strict=True):
        *classes, objectness = (1 / (1 + math.exp(-x)) for x in row)
        products = [p * objectness for p in classes]
        assert found == pytest.approx([math.log(p / (1 - p)) for p in products])


def test_logits_of_tood_are_those_of_its_probabilities(head_and_output):
    head, _ = head_and_output('TOOD')
    probability = torch.tensor([[0.01, 0.2, 0.7]])
    expected = [[math.log(p / (1 - p)) for p in probability[0].tolist()]]
    torch.testing.assert_close(score_code(head).logits(probability), torch.tensor(expected))


def test_entropy_and_divergence_of_a_softmax_are_over_classes_and_background(make_family):
    student = make_family('SingleStageDetector')
    head, probe = student.bbox_head, student.distill_heads[0].probe()
    theirs = [torch.full((1, a * 4, 2, 2), -9.0) for a in head.num_base_priors]
    for level in theirs:
        level[:, 3::4] = 9.0  # the background
    ours = [torch.zeros_like(level) for level in theirs]
    p = (0.5, 0.2, 0.2, 0.1)
    theirs[1][0, 4:8, 1, 0] = torch.tensor(p).log()
    answer = dense_answer((theirs, []), head, probe.score_thr, with_boxes=False)
    tape = Tape(bbox_head=[Call((), {}, (theirs, []))])
    expected = torch.tensor([-sum(x * math.log(x) for x in p)])
    torch.testing.assert_close(probe.entropy(student, tape), expected)
    tape = Tape(bbox_head=[Call((), {}, (ours, []))])
    expected = torch.tensor([sum(0.25 * math.log(0.25 / x) for x in p)])
    torch.testing.assert_close(probe.divergence(student, tape, answer), expected)
