"""Work directories of runs as a test wants them."""

import json

import pytest

from w2s_mm.utils.files import write_json_lines

RECORD = {
    'format': 1,
    'config': 'configs/digits/retinanet_student.py',
    'resumed': False,
    'parameters': 1234,
    'teacher': None,
    'initial_weights': 'aaaa',
    'batches': ['b1', 'b2', 'b3'],
    'software': {'w2s_mm': '0.1', 'commit': 'abc', 'torch': '2.11', 'cuda': None},
    'hardware': {'device': 'CPU', 'cores': 2},
}


WEIGHT = [[0, 0.0], [40, 2.0], [80, 2.0], [120, 0.0]]


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
        weights=(),
        interval=40,
        record=None,
        gradients=None,
    ):
        path = tmp_path / name
        path.mkdir(parents=True)
        history = [
            {
                'epoch': 0.5 * i,
                'iter': interval * i,
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
            'val_interval_iters': interval,
            'finished': finished,
            'history': history,
            'targets': [{'threshold': t, 'first': None, 'sustained': None} for t in thresholds],
        }
        (path / 'time_to_target.json').write_text(json.dumps(measured))
        if reference is not None:
            distilled = {
                'format': 2,
                'metric': metric,
                'rule': rule,
                'stop': {'type': 'SurpassGate', 'k': 2},
                'reference': reference,
                'reference_source': 'given',
                'history': [],
                'closed_at': closed_at and {'iter': closed_at, 'epoch': closed_at / 80},
                'weights': [{'head': 'Head', 'points': points} for points in weights],
            }
            (path / 'weak_to_strong.json').write_text(json.dumps(distilled))
        if record is not None:
            (path / 'run.json').write_text(json.dumps({**RECORD, 'seed': seed, **record}))
        if gradients is not None:
            write_json_lines(
                path / 'gradient_norms.jsonl', [{'format': 2, 'interval': 10}, *gradients]
            )
        return path

    return write
