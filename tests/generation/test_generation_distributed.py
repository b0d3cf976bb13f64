"""Two processes (gloo, CPU): the FID of one, and one verdict on a sample that is not a number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from torch import distributed

from tests.generation.test_fid import ToyImages  # noqa: F401  (registers it and the toy features)
from w2s_mm.generation import FID, SamplingSeeds
from w2s_mm.utils.errors import W2SError

pytestmark = pytest.mark.slow
SEEDS = SamplingSeeds(31)  # an odd number: the processes have different shares


def evaluate(metric, model, indices):
    own = [SEEDS[index]['inputs'] for index in indices]
    for start in range(0, len(own), 7):
        predictions = model.val_step({'inputs': own[start : start + 7]})
        metric.process(None, [prediction.to_dict() for prediction in predictions])
    return metric.evaluate(len(SEEDS))


def make_fid(cache: Path) -> FID:
    metric = FID(dict(type='ToyImages'), dict(type='ToyFeatures'), str(cache), batch_size=9)
    metric.dataset_meta = SEEDS.metainfo
    return metric


def work(rank: int, folder: Path, model) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    metric = make_fid(folder / 'cache')
    share = list(DefaultSampler(SEEDS, shuffle=False, round_up=False))
    value = evaluate(metric, model, share)
    (folder / f'value{rank}').write_text(json.dumps([value, len(share)]))
    if rank == 1:
        model.unet.conv_out.bias.data[0] = float('nan')
    with pytest.raises(W2SError, match='15 of 31 samples contain NaN'):  # both, or one would wait
        evaluate(metric, model, share)
    distributed.barrier()
    distributed.destroy_process_group()


def test_two_processes_have_the_fid_of_one_and_stop_together(ddpm, build, tmp_path):
    model = build(ddpm()).eval()
    alone = evaluate(make_fid(tmp_path / 'alone'), model, range(len(SEEDS)))
    mp.start_processes(work, args=(tmp_path, model), nprocs=2, start_method='fork')
    (first, a), (second, b) = (json.loads((tmp_path / f'value{n}').read_text()) for n in (0, 1))
    assert first == second and (a, b) == (16, 15)
    # Batches differ, and with them the last bit of a pixel now and then.
    assert first['FID-toy'] == pytest.approx(alone['FID-toy'], rel=1e-4)
    assert first['FID-toy'] > 0
