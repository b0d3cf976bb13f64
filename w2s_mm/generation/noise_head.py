"""Distillation between two diffusion models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.preprocess import Renormalize
from w2s_mm.core.probe import Probe, pooled
from w2s_mm.core.registry import build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import takes_labels
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import normalizes
from w2s_mm.utils.precision import full_precision

from .ddpm import DDPM

Side = Literal['low', 'high']


@MODELS.register_module()
class NoiseDistillHead(DistillHead):
    r"""Compares two predictions of the noise in the same noised images (arXiv 2604.15451, 3.3).

    .. math::
        L_\mathrm{distill} = \frac{1}{N} \sum_n M(t_n)\,
            \mathrm{mean}\, (\epsilon_\mathrm{student}(x_{t_n}, t_n)
            - \epsilon_\mathrm{teacher}(x_{t_n}, t_n))^2

    for the ``(x_t, t)`` of the student's own loss. The mask ``M`` is 1 for the distilled steps and
    0 for the others, which count in N: the term estimates its mean over all steps, and every batch
    and process has the same weight. Steps that a loss-aware sampler draws more often have more
    weight. If the models also predict a variance, that half is not distilled.

    The paper says "early-step timestep masking ratio 0.5". It does not say whether early means
    little noise or, as in sampling, much. The default is ``'low'``: with much noise ``x_t`` is
    nearly the noise itself, and any network soon predicts it well without a teacher
    (docs/results/digits_ddpm.md has both); with little noise, the sampled noise is a target of high
    variance, and the teacher predicts its mean. ``ratio`` is that of the distilled steps; at the
    paper's 0.5 it is that of the masked steps as well.

    Args:
        ratio: Fraction of the T steps that is distilled, above 0 and at most 1.
        side: Which steps: ``'low'``, those with t < ratio T, or ``'high'``, those with
            t >= (1 - ratio) T.
        loss: Config of the loss, by default a
            :class:`~w2s_mm.losses.SquaredErrorDistillLoss`. It receives ``M`` as its weight.
        **kwargs: ``weight`` and ``schedule`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Raises:
        W2SError: An argument is out of range, or the loss needs labels.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        side: Side = 'low',
        loss: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.number(
            'distill_head.ratio', ratio, above=0, most=1, hint='With 1, all steps are distilled.'
        )
        checks.choice('distill_head.side', side, get_args(Side))
        self.ratio = ratio
        self.side = side
        loss = {'type': 'SquaredErrorDistillLoss'} if loss is None else loss
        self.loss_noise = build_part(loss, 'distill_head.loss', 'SquaredErrorDistillLoss')
        if takes_labels(self.loss_noise):
            raise W2SError(
                f'{type(self.loss_noise).__name__} needs labels, and a diffusion model has none. '
                f'Choose a loss without labels.'
            )

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """The network, for its input ``(x_t, t)`` and its output."""
        return ('unet',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that image shape, noise schedule, sampling and normalisation are equal.

        Raises:
            W2SError: They differ; the message shows both sides.
        """
        for model, whose in ((student, 'student'), (teacher, 'teacher')):
            if not isinstance(model, DDPM):
                raise W2SError(
                    f'The {whose} is a {type(model).__name__}; expected a diffusion model of type '
                    f'DDPM, or DiffusersDDPM for a folder of diffusers.'
                )
        for what, of in (
            ('image shape (C, H, W)', lambda model: model.image_shape),
            ('noise schedule', lambda model: (model.diffusion.schedule, model.diffusion.steps)),
            # Both are evaluated with their own sampler: a coarser one would give a worse reference.
            ('sampling', lambda model: model.sampling),
        ):
            ours, theirs = of(student), of(teacher)
            if ours != theirs:
                raise W2SError(
                    f'Teacher and student differ in their {what}: teacher {theirs}, student '
                    f'{ours}. Choose a teacher that was trained like the student, or change the '
                    f'student.'
                )
        looks = student.data_preprocessor, teacher.data_preprocessor
        if not Renormalize(*looks).same_pixels:  # noise cannot be converted to another scale
            ours, theirs = map(_scale, looks)
            raise W2SError(
                f'Teacher and student differ in the scale of their images or the order of '
                f'channels: mean and std of the teacher {theirs}, of the student {ours}. Use the '
                f'same data_preprocessor for both.'
            )

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> Tensor:
        """The teacher's prediction of the noise in the recorded ``x_t``, shape (N, C, H, W)."""
        x_t, t = tape.last('unet').args
        return teacher.model(x_t, mode='tensor', timesteps=t)[:, : x_t.shape[1]]

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Term ``noise``, a scalar; noise has no temperature."""
        call = tape.last('unet')
        x_t, t = call.args
        noise = call.output.sample[:, : x_t.shape[1]]
        steps: Any = student.diffusion.steps
        weight = self.mask(t, steps).to(full_precision(noise).dtype)
        return {'noise': self.loss_noise(noise, answer, weight=weight)}

    def mask(self, t: Tensor, steps: int) -> Tensor:
        """Which of the steps ``t`` (N,) are distilled, with ``steps`` in all: bool, (N,)."""
        return t < self.ratio * steps if self.side == 'low' else t >= (1 - self.ratio) * steps

    def probe(self) -> Probe:
        """Distance of the two predictions; the features of the U-Net's middle block."""
        return NoiseProbe()


class NoiseProbe:
    """What a diagnosis reads from a diffusion model; see :class:`~w2s_mm.core.probe.Probe`."""

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """The network and its middle block."""
        return ('unet', 'unet.mid_block')

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Empty: a prediction of the noise has no entropy."""
        return torch.zeros(0)

    def divergence(self, student: nn.Module, tape: Tape, answer: Any) -> Tensor:
        """KL of unit Gaussians around the two predictions: half the squared distance, (N,)."""
        call = tape.last('unet')
        noise = full_precision(call.output.sample)[:, : call.args[0].shape[1]]
        return ((noise - full_precision(answer)) ** 2).sum(dim=(1, 2, 3)) / 2

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """The map of the middle block, pooled over positions, shape (N, K)."""
        return pooled(tape.last('unet.mid_block'))


def _scale(preprocessor: Any) -> tuple[list[float], list[float]]:
    """Mean and standard deviation with which a preprocessor normalises pixels."""
    if not normalizes(preprocessor):
        return [0.0], [1.0]
    return preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
