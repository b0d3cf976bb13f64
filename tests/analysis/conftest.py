import json

import pytest


@pytest.fixture
def write_run(tmp_path):
    """Write the work directory of a run that was validated every 40 iterations."""

    def write(
        name,
        values,
        seed=0,
        *,
        metric='coco/bbox_mAP_50',
        rule='greater',
        thresholds=(0.2,),
        finished=True,
        reference=None,
        closed_at=None,
        schedule=None,
    ):
        path = tmp_path / name
        path.mkdir()
        history = [
            {
                'epoch': 0.5 * i,
                'iter': 40 * i,
                'train_seconds': 4.0 * i,
                'wall_seconds': 5.0 * i + 10,
                'value': value,
            }
            for i, value in enumerate(values, start=1)
        ]
        measured = {
            'format': 1,
            'metric': metric,
            'rule': rule,
            'hits_in_a_row': 2,
            'seed': seed,
            'config': 'retinanet_student',
            'max_iters': 800,
            'val_interval_iters': 40,
            'finished': finished,
            'history': history,
            'targets': [{'threshold': t, 'first': None, 'sustained': None} for t in thresholds],
        }
        (path / 'time_to_target.json').write_text(json.dumps(measured))
        if reference is not None:
            distilled = {
                'format': 1,
                'metric': metric,
                'rule': rule,
                'hits_in_a_row': 2,
                'reference': reference,
                'reference_source': 'given',
                'history': [],
                'closed_at': closed_at and {'iter': closed_at, 'epoch': closed_at / 80},
                'schedule': schedule,
            }
            (path / 'weak_to_strong.json').write_text(json.dumps(distilled))
        return path

    return write


@pytest.fixture
def schedule():
    return {
        'type': 'WarmupHoldDecay',
        'lambda_max': 2.0,
        'warmup': 40,
        'hold': 40,
        'decay': 40,
        'unit': 'iter',
        'shape': 'linear',
    }
