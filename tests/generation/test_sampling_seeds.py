import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from w2s_mm.generation import SamplingLoop, SamplingSeeds
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import rng_state


def test_a_seed_depends_on_its_place_and_the_sets_seed_alone():
    few, many, other = SamplingSeeds(3), SamplingSeeds(500), SamplingSeeds(500, seed=1)
    assert len(many) == 500 and many.metainfo == {'samples': 500}
    assert [few[i] for i in range(3)] == [many[i] for i in range(3)]
    assert len({item['inputs'] for seeds in (many, other) for item in seeds}) == 1000


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [({'count': 0}, 'dataset.count is 0'), ({'count': 2, 'seed': -1}, 'dataset.seed is -1')],
)
def test_an_argument_out_of_range_is_named(arguments, message):
    with pytest.raises(W2SError, match=message):
        SamplingSeeds(**arguments)


class Count(BaseMetric):
    default_prefix = ''

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {'count': len(results)}


def test_a_validation_leaves_the_random_numbers_as_they_were(ddpm, build, tmp_path):
    loop = dict(
        batch_size=3,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='SamplingSeeds', count=7),
    )
    runner = Runner(
        build(ddpm()),
        str(tmp_path),
        val_dataloader=loop,
        val_cfg=dict(type='SamplingLoop'),
        val_evaluator=[Count()],
        experiment_name='seeds',
    )

    class Saving(Hook):
        """Saves the random numbers with a new best, as CheckpointHook does."""

        def after_val_epoch(self, runner, metrics=None) -> None:
            seen.append(rng_state()['torch'])

    seen = []
    runner.register_hook(Saving())
    torch.manual_seed(1)
    before = rng_state()
    assert runner.val() == {'count': 7}
    assert torch.equal(before['torch'], seen[0])
    assert isinstance(runner.val_loop, SamplingLoop)
    after = rng_state()
    assert torch.equal(before['torch'], after['torch'])
    assert before['python'] == after['python']
    assert torch.equal(before['numpy'][1], after['numpy'][1])
