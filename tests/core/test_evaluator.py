"""A wrong name of a metric is refused before training, and no right one is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import ValLoop

from w2s_mm.core.evaluator import check_reported
from w2s_mm.utils.errors import W2SError


def runner(*metrics, hooks=(), loop=ValLoop):
    validation = loop.__new__(loop)
    validation.evaluator = Evaluator(list(metrics))
    return SimpleNamespace(val_loop=validation, hooks=[LoggerHook(), *hooks])


def accuracy(**options):
    from mmpretrain.evaluation import Accuracy

    return Accuracy(**options)


def coco(**options):
    from mmdet.evaluation import CocoMetric

    return CocoMetric(**options)


class Own(BaseMetric):
    def __init__(self, prefix):
        super().__init__(prefix=prefix)

    def process(self, data_batch, data_samples):
        raise NotImplementedError

    def compute_metrics(self, results):
        raise NotImplementedError


class Free(Own):
    def evaluate(self, size):
        raise NotImplementedError


def test_a_detector_s_metric_of_a_classifier_is_refused():
    with pytest.raises(W2SError) as refused:
        check_reported(runner(accuracy(topk=(1, 5))), 'coco/bbox_mAP_50', 'TimeToTargetHook')
    assert "TimeToTargetHook.metric is 'coco/bbox_mAP_50'" in str(refused.value)
    assert 'It reports: accuracy/top1, accuracy/top5. Set' in str(refused.value)


@pytest.mark.parametrize(
    ('metric', 'good', 'bad'),
    [
        (lambda: accuracy(), ['accuracy/top1'], ['accuracy/top5', 'top1', 'accuracy/top']),
        (
            lambda: accuracy(thrs=(0.1, None)),
            ['accuracy/top1_thr-0.10', 'accuracy/top1_no-thr'],
            ['accuracy/top1'],
        ),
        (
            lambda: coco(metric=['bbox', 'segm'], prefix='mine'),
            ['mine/bbox_mAP', 'mine/segm_mAP_75'],
            ['coco/bbox_mAP', 'mine/bbox_mAP50', 'mine/bbox_AR@100'],
        ),
        (
            lambda: coco(metric='proposal', metric_items=['AR@100']),
            ['coco/AR@100'],
            ['coco/AR@300', 'coco/bbox_mAP'],
        ),
        (lambda: coco(metric='proposal_fast'), ['coco/AR@100', 'coco/AR@1000'], ['coco/AR@7']),
    ],
)
def test_names_of_well_known_metrics(metric, good, bad):
    for name in good:
        assert check_reported(runner(metric()), name, 'X')
    for name in bad:
        with pytest.raises(W2SError, match=r'val_evaluator does not report'):
            check_reported(runner(metric()), name, 'X')


def test_what_cannot_be_known_is_not_refused():
    assert not check_reported(runner(coco(classwise=True)), 'coco/cat_precision', 'X')
    assert not check_reported(runner(Own('own')), 'own/anything', 'X')
    assert not check_reported(runner(accuracy(), Own(None)), 'coco/bbox_mAP_50', 'X')
    assert not check_reported(runner(accuracy(), Free('own')), 'coco/bbox_mAP_50', 'X')
    assert not check_reported(runner(accuracy()), 'val_loss', 'X')
    assert not check_reported(SimpleNamespace(val_loop=None, hooks=[]), 'x', 'X')

    class OwnHook(Hook):
        def after_val_epoch(self, runner, metrics=None):
            metrics['mine'] = 1.0

    class OwnLoop(ValLoop):
        pass

    assert not check_reported(runner(accuracy(), hooks=[OwnHook()]), 'mine', 'X')
    assert not check_reported(runner(accuracy(), loop=OwnLoop), 'mine', 'X')


def test_several_evaluators():
    both = runner(accuracy(), coco())
    assert check_reported(both, 'coco/bbox_mAP_50', 'X') and check_reported(
        both, 'accuracy/top1', 'X'
    )
    with pytest.raises(W2SError, match='It reports: accuracy/top1, coco/bbox_mAP, '):
        check_reported(both, 'coco/top1', 'X')
