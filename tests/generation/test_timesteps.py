import math

import pytest
import torch

from w2s_mm.generation.timesteps import LossAwareTimesteps, UniformTimesteps
from w2s_mm.utils.errors import W2SError

STEPS = 8


def warmed(losses=None, **kwargs):
    """A sampler with a full history of losses for every step."""
    sampler = LossAwareTimesteps(STEPS, **kwargs)
    losses = torch.arange(1.0, STEPS + 1) if losses is None else losses
    for _ in range(sampler.history):
        sampler.observe(torch.arange(STEPS), losses)
    return sampler


def test_uniform_steps_are_all_drawn_and_weigh_1():
    t, weight = UniformTimesteps(STEPS).draw(4000, 'cpu')
    assert t.dtype == torch.int64
    assert torch.equal(weight, torch.ones(4000))
    shares = torch.bincount(t, minlength=STEPS) / 4000
    assert (shares - 1 / STEPS).abs().max() < 0.03


@pytest.mark.parametrize('make', [lambda: UniformTimesteps(STEPS), warmed])
def test_the_same_generator_draws_the_same_steps(make):
    first, second = (make().draw(50, 'cpu', torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_steps_are_drawn_alike_until_each_has_its_history():
    sampler = LossAwareTimesteps(STEPS, history=2)
    uniform = torch.full((STEPS,), 1 / STEPS).double()
    for _ in range(2):
        assert torch.equal(sampler.probabilities(), uniform)
        sampler.observe(torch.arange(STEPS - 1), torch.arange(1.0, STEPS))
    sampler.observe(torch.tensor([STEPS - 1]), torch.tensor([1.0]))
    assert torch.equal(sampler.probabilities(), uniform)
    assert torch.equal(sampler.draw(5, 'cpu')[1], torch.ones(5))
    sampler.observe(torch.tensor([STEPS - 1]), torch.tensor([1.0]))
    assert not torch.equal(sampler.probabilities(), uniform)


def test_probabilities_follow_the_root_of_the_mean_square_of_recent_losses():
    sampler = LossAwareTimesteps(2, history=2, uniform_prob=0.1)
    for loss in (100.0, 3.0, 4.0):  # the first is forgotten
        sampler.observe(torch.tensor([0, 1]), torch.tensor([loss, 1.0]))
    moment = math.sqrt((9 + 16) / 2)
    expected = [0.9 * moment / (moment + 1) + 0.05, 0.9 / (moment + 1) + 0.05]
    assert sampler.probabilities().tolist() == pytest.approx(expected)


def test_weighted_losses_have_the_mean_over_all_steps():
    losses = torch.tensor([0.0, 0.1, 0.5, 1, 2, 5, 10, 50])
    sampler = warmed(losses)
    p = sampler.probabilities()
    t, weight = sampler.draw(20_000, 'cpu', torch.Generator().manual_seed(0))
    torch.testing.assert_close(weight.double(), 1 / (STEPS * p[t]), rtol=1e-6, atol=0)
    assert (p / (STEPS * p) * losses).sum().item() == pytest.approx(losses.mean().item())
    estimate = weight * losses[t]
    assert estimate.mean().item() == pytest.approx(losses.mean().item(), rel=0.01)
    assert estimate.std() < 0.1 * losses.std()  # what it is for


def test_every_step_stays_possible():
    p = warmed(torch.tensor([0.0] * 7 + [1e6])).probabilities()
    assert p.min().item() == pytest.approx(0.001 / STEPS)
    assert p.sum().item() == pytest.approx(1)


def test_losses_that_are_all_zero_leave_the_steps_alike():
    p = warmed(torch.zeros(STEPS)).probabilities()
    torch.testing.assert_close(p, torch.full((STEPS,), 1 / STEPS).double())


def test_a_step_drawn_more_often_than_is_remembered_keeps_its_last_losses():
    sampler = LossAwareTimesteps(STEPS, history=3)
    sampler.observe(torch.tensor([2, 5, 2, 2, 2, 2]), torch.tensor([1.0, 9, 2, 3, 4, 5]))
    assert sorted(sampler.losses[2].tolist()) == [3, 4, 5]
    assert sampler.losses[5].tolist() == [9, 0, 0]
    assert sampler.seen.tolist() == [0, 0, 5, 0, 0, 1, 0, 0]
    sampler.observe(torch.tensor([2]), torch.tensor([6.0]))
    assert sorted(sampler.losses[2].tolist()) == [4, 5, 6]


def test_one_batch_is_heard_as_its_images_one_by_one():
    whole, single = LossAwareTimesteps(STEPS, history=4), LossAwareTimesteps(STEPS, history=4)
    t, losses = torch.randint(STEPS, (100,)), torch.rand(100)
    whole.observe(t, losses)
    for i in range(100):
        single.observe(t[i : i + 1], losses[i : i + 1])
    assert torch.equal(whole.losses, single.losses)
    assert torch.equal(whole.seen, single.seen)


def test_a_loss_that_is_no_number_is_not_remembered():
    sampler = warmed()
    before = sampler.probabilities()
    sampler.observe(torch.tensor([0, 1]), torch.tensor([math.nan, math.inf]))
    assert torch.equal(sampler.probabilities(), before)


def test_a_resumed_sampler_goes_on_as_if_it_had_not_stopped():
    whole = warmed()
    resumed = LossAwareTimesteps(STEPS)
    resumed.load_state_dict({name: x.clone() for name, x in whole.state_dict().items()})
    for seed in range(3):
        draws = [s.draw(7, 'cpu', torch.Generator().manual_seed(seed)) for s in (whole, resumed)]
        assert torch.equal(draws[0][0], draws[1][0])
        assert torch.equal(draws[0][1], draws[1][1])
        for sampler, (t, _) in zip((whole, resumed), draws, strict=True):
            sampler.observe(t, t + 0.5)
    assert torch.equal(whole.losses, resumed.losses)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'history': 0}, 'history is 0; expected'),
        ({'uniform_prob': 0}, 'uniform_prob is 0; expected'),
        ({'uniform_prob': 1.5}, 'uniform_prob is 1.5; expected'),
    ],
)
def test_an_argument_out_of_range_is_named(arguments, message):
    with pytest.raises(W2SError, match=message):
        LossAwareTimesteps(STEPS, **arguments)


def worker(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    sampler = LossAwareTimesteps(STEPS, history=2)
    for turn in range(6):
        t, losses = batch(turn, rank)
        sampler.observe(t, losses)
    torch.save(sampler.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def batch(turn, rank):
    """Steps and losses of one process; not as many in one as in the other."""
    generator = torch.Generator().manual_seed(10 * turn + rank)
    count = 5 + 3 * rank
    t = torch.randint(STEPS, (count,), generator=generator)
    return t, torch.rand(count, generator=generator)


def test_two_processes_hold_the_history_of_one_that_hears_both(tmp_path):
    torch.multiprocessing.start_processes(worker, args=(tmp_path,), nprocs=2, start_method='fork')
    expected = LossAwareTimesteps(STEPS, history=2)
    for turn in range(6):
        parts = [batch(turn, rank) for rank in range(2)]
        expected.observe(*(torch.cat(part) for part in zip(*parts, strict=True)))
    for rank in range(2):
        state = torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for name, tensor in expected.state_dict().items():
            assert torch.equal(state[name], tensor)
