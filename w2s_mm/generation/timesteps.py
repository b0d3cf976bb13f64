"""Samplers of the noising steps that a batch is trained on."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_world_size
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils import checks


@MODELS.register_module()
class UniformTimesteps(nn.Module):
    """All steps are equally likely.

    Args:
        steps: ``T``.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        checks.whole_number('timestep_sampler.steps', steps)
        self.steps = steps

    def draw(
        self, count: int, device: torch.device | str, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sample steps for ``count`` images, and the weights of their losses.

        Args:
            count: N.
            device: Device of both, and of the generator.
            generator: Source of random numbers, the default one if None.

        Returns:
            Steps, int64 from 0 to T - 1, and weights (here 1), each of shape (N,).
        """
        t = torch.randint(self.steps, (count,), device=device, generator=generator)
        return t, torch.ones(count, device=device)

    def observe(self, t: Tensor, losses: Tensor) -> None:
        """Record the losses (N,) at the steps ``t`` (N,); ignored here."""


@MODELS.register_module()
class LossAwareTimesteps(nn.Module):
    r"""Steps with larger losses are more likely and have smaller weights (arXiv 2102.09672, 3.3).

    .. math:: p_t \propto \sqrt{\mathrm{E}[L_t^2]}, \qquad w_t = \frac{1}{T\, p_t}

    Equation (18), with the expectation over the last ``history`` losses of each step. Until every
    step has that many, all are equally likely. With these weights the mean of the weighted losses
    is an unbiased estimate of the mean over all steps.

    Every process receives the losses of all, in the order of ranks, so all have the same history.
    It is part of the model's state dict, and so of checkpoints.

    Args:
        steps: ``T``.
        history: Number of losses kept per step, 10 in the paper.
        uniform_prob: Probability that is spread evenly over the steps, so that each remains
            possible; 0.001 in the paper's code.

    Raises:
        W2SError: An argument is out of range.
    """

    losses: Tensor
    seen: Tensor

    def __init__(self, steps: int, history: int = 10, uniform_prob: float = 0.001) -> None:
        super().__init__()
        checks.whole_number('timestep_sampler.steps', steps)
        checks.whole_number('timestep_sampler.history', history, most=1000)
        checks.number('timestep_sampler.uniform_prob', uniform_prob, above=0, most=1)
        self.steps = steps
        self.history = history
        self.uniform_prob = uniform_prob
        # One ring buffer per step; the next loss goes to index `seen` modulo `history`.
        self.register_buffer('losses', torch.zeros(steps, history))
        self.register_buffer('seen', torch.zeros(steps, dtype=torch.int64))

    def probabilities(self) -> Tensor:
        """Probability of every step, shape (T,), in double precision; they sum to 1."""
        uniform = torch.full_like(self.losses[:, 0], 1 / self.steps, dtype=torch.float64)
        moment = self.losses.double().square().mean(dim=1).sqrt()
        moment = moment + torch.finfo(torch.float64).tiny  # all losses 0: uniform
        aware = (1 - self.uniform_prob) * moment / moment.sum() + self.uniform_prob * uniform
        return torch.where((self.seen >= self.history).all(), aware, uniform)

    def draw(
        self, count: int, device: torch.device | str, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sample steps for ``count`` images, and the weights of their losses.

        Args:
            count: N.
            device: Device of both.
            generator: Generator on the model's device, the default one if None.

        Returns:
            Steps, int64 from 0 to T - 1, and weights ``w_t``, each of shape (N,).
        """
        p = self.probabilities()
        t = torch.multinomial(p, count, replacement=True, generator=generator)
        return t.to(device), (1 / (self.steps * p[t])).float().to(device)

    @torch.no_grad()
    def observe(self, t: Tensor, losses: Tensor) -> None:
        """Record unweighted losses; those that are NaN or infinite are ignored.

        Args:
            t: Steps of this process, shape (N,); N may differ between processes.
            losses: Their losses, shape (N,).
        """
        rows = _of_all_processes(torch.stack([t.double(), losses.detach().double()], dim=1))
        rows = rows[rows[:, 1].isfinite()].to(self.losses.device)
        t = rows[:, 0].long()
        same = t[:, None] == t[None, :]
        earlier = same.tril(-1).sum(dim=1)  # draws of the same step before this one
        later = same.triu(1).sum(dim=1)
        kept = later < self.history  # two writes to one index have no order on a GPU
        place = (self.seen[t] + earlier) % self.history
        self.losses[t[kept], place[kept]] = rows[kept, 1].to(self.losses.dtype)
        self.seen += torch.bincount(t, minlength=self.steps)


def _of_all_processes(rows: Tensor) -> Tensor:
    """The rows of all processes, shape (R, K), in the order of ranks."""
    if get_world_size() == 1:
        return rows
    counts = [int(n) for n in all_gather(torch.tensor([len(rows)], device=rows.device))]
    padded = rows.new_zeros(max(counts), rows.shape[1])
    padded[: len(rows)] = rows
    return torch.cat([part[:n] for part, n in zip(all_gather(padded), counts, strict=True)])
