"""Muon for the matrices of a network and AdamW for the rest of it, as one optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import torch
from mmengine.registry import OPTIMIZERS
from torch import Tensor
from torch.optim.adamw import adamw

from w2s_mm.utils.errors import W2SError

AdjustLr = Literal['original', 'match_rms_adamw']
# Quintic a x + b x^3 + c x^5 that lifts every singular value in (0, 1] to about 1 (Jordan 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
TINY = 1e-7


# torch.optim.Muon (torch 2.9 and later; this package serves 2.6 and later) refuses whatever has
# not two dimensions, and the function it orthogonalises with is private: hence our own. The tests
# hold it to torch's, update by update.
def orthogonalized(matrix: Tensor, steps: int = 5, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    r"""About :math:`U V^\top` of ``matrix`` :math:`= U S V^\top`, by Newton-Schulz iteration.

    .. math:: X \leftarrow a X + (b X X^\top + c (X X^\top)^2) X, \quad X_0 = G / \|G\|_F

    which keeps U and V and moves each singular value by the quintic (Jordan 2024, "Muon: an
    optimizer for hidden layers in neural networks"). Five steps bring those above a 500th of
    the norm to between 0.68 and 1.21; more exact is no better for training.

    Args:
        matrix: Shape (rows, columns).
        steps: Number of iterations.
        dtype: Precision of the iteration; the published one is bfloat16.

    Returns:
        Shape (rows, columns), in ``dtype``; 0 for a matrix of zeros.
    """
    a, b, c = QUINTIC
    x = matrix.to(dtype)
    tall = x.shape[0] > x.shape[1]
    if tall:  # the smaller Gram matrix is the cheaper one
        x = x.mT
    x = x / x.norm().clamp(min=TINY)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def update_scale(rows: int, columns: int, adjust_lr_fn: AdjustLr) -> float:
    """Factor on the learning rate of a matrix, by its shape.

    ``'original'``, sqrt(max(1, rows / columns)), evens out what the update does to activations
    (Jordan 2024). ``'match_rms_adamw'``, 0.2 sqrt(max(rows, columns)), gives an update the root
    mean square of AdamW's, so that AdamW's learning rate and weight decay serve (arXiv 2502.16982).
    """
    if adjust_lr_fn == 'original':
        return math.sqrt(max(1.0, rows / columns))
    return 0.2 * math.sqrt(max(rows, columns))


@OPTIMIZERS.register_module()
class MuonWithAdamW(torch.optim.Optimizer):
    r"""Muon (Jordan 2024) for hidden weights, AdamW (arXiv 1711.05101) for all others.

    A Muon weight of two or more dimensions is taken as the matrix (out, everything else); that of a
    convolution as (out, in * kh * kw), which is what acts on a patch of the image. With gradient
    :math:`g` and the mean :math:`m \leftarrow \mu m + (1 - \mu) g`, a step is

    .. math::
        w \leftarrow (1 - \eta \lambda) w - \eta\, s\, \mathrm{orthogonalized}(\mu m + (1 - \mu) g)

    with :func:`orthogonalized` and ``s`` of :func:`update_scale`; without Nesterov, ``m`` itself is
    orthogonalised. Every group has its own ``lr``, so schedulers move both halves alike. Weights
    must be whole on every rank (DDP, not FSDP or ZeRO).

    Meant for ``constructor='MuonConstructor'``, which sorts the parameters of a model.

    Args:
        params: Groups, each with ``use_muon``. A group may have settings of its own: ``lr``,
            ``weight_decay``, and those below from ``momentum`` on.
        lr: Learning rate of the Muon groups.
        weight_decay: Decoupled weight decay of the Muon groups.
        adamw_lr: Learning rate of the AdamW groups.
        adamw_weight_decay: Weight decay of the AdamW groups; defaults to ``weight_decay``.
        momentum: Muon's mu, in [0, 1).
        nesterov: Whether Muon looks one step ahead.
        ns_steps: Newton-Schulz iterations a step.
        adjust_lr_fn: ``'original'`` or ``'match_rms_adamw'``, see :func:`update_scale`.
        adamw_betas: AdamW's decay rates of the two moments, each in [0, 1).
        adamw_eps: AdamW's term in the denominator, above 0.

    Raises:
        W2SError: A setting is out of its range, a group does not say ``use_muon``, or a Muon
            parameter has fewer than two dimensions.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 0.02,
        weight_decay: float = 0.0,
        adamw_lr: float = 3e-4,
        adamw_weight_decay: float | None = None,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr_fn: AdjustLr = 'original',
        adamw_betas: tuple[float, float] = (0.9, 0.999),
        adamw_eps: float = 1e-8,
    ) -> None:
        if adamw_weight_decay is None:
            adamw_weight_decay = weight_decay
        of_adamw = {'lr': adamw_lr, 'weight_decay': adamw_weight_decay}
        defaults = dict(
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn,
            adamw_betas=adamw_betas,
            adamw_eps=adamw_eps,
        )
        check_settings({**defaults, 'adamw_lr': adamw_lr, 'adamw_weight_decay': adamw_weight_decay})
        groups = list(params)
        for group in groups:
            _check_sorted(group)
        super().__init__([{**({} if g['use_muon'] else of_adamw), **g} for g in groups], defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as ``torch.optim.Optimizer`` does, and check its settings.

        Raises:
            W2SError: As for the class.
        """
        _check_sorted(param_group)
        super().add_param_group(param_group)
        check_settings(self.param_groups[-1])
        if param_group['use_muon']:
            for parameter in self.param_groups[-1]['params']:
                if parameter.ndim < 2:
                    raise W2SError(
                        f'A parameter of shape {tuple(parameter.shape)} has use_muon=True; '
                        f'expected two or more dimensions. Leave it to AdamW: use_muon=False.'
                    )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the state of another :class:`MuonWithAdamW` with the same groups.

        Raises:
            W2SError: It is another optimizer's, or its groups are sorted otherwise.
        """
        found = [group.get('use_muon') for group in state_dict['param_groups']]
        expected = [group['use_muon'] for group in self.param_groups]
        if found != expected:
            raise W2SError(
                f'The optimizer state to resume has groups with use_muon={found}; expected '
                f'{expected}. Resume with the config it was trained with, or take its weights '
                f'alone: load_from=<checkpoint> without --resume.'
            )
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the loss and its gradients anew, if given.

        Returns:
            What ``closure`` returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group['params'] if p.grad is not None]
            (self._muon if group['use_muon'] else self._adamw)(parameters, group)
        return loss

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        momentum = group['momentum']
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state['momentum_buffer'] = torch.zeros_like(parameter)
            mean = state['momentum_buffer'].lerp_(parameter.grad, 1 - momentum)
            if group['nesterov']:
                mean = parameter.grad.lerp(mean, momentum)
            matrix = mean.flatten(1)
            update = orthogonalized(matrix, group['ns_steps']).reshape(parameter.shape)
            rows, columns = matrix.shape
            scale = update_scale(rows, columns, group['adjust_lr_fn'])
            parameter.mul_(1 - group['lr'] * group['weight_decay'])
            parameter.add_(update, alpha=-group['lr'] * scale)

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state['step'] = torch.zeros((), dtype=torch.float32)
                state['exp_avg'] = torch.zeros_like(parameter)
                state['exp_avg_sq'] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        beta1, beta2 = group['adamw_betas']
        adamw(
            parameters,
            [parameter.grad for parameter in parameters],
            [state['exp_avg'] for state in states],
            [state['exp_avg_sq'] for state in states],
            [],
            [state['step'] for state in states],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group['lr'],
            weight_decay=group['weight_decay'],
            eps=group['adamw_eps'],
            maximize=False,
        )


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse settings of :class:`MuonWithAdamW` that are out of their range.

    Raises:
        W2SError: One is, named as in the config.
    """

    def require(name: str, fits: Callable[[Any], bool], expected: str) -> None:
        if name not in settings:
            return
        try:
            good = fits(settings[name])
        except TypeError:  # not a number at all
            good = False
        if not good:
            raise W2SError(f'optimizer.{name} is {settings[name]!r}; expected {expected}.')

    for name in ('lr', 'weight_decay', 'adamw_lr', 'adamw_weight_decay'):
        require(name, lambda x: 0 <= x < math.inf, 'a finite number of at least 0')
    require('momentum', lambda x: 0 <= x < 1, 'a number of at least 0 and below 1')
    require('ns_steps', lambda x: isinstance(x, int) and x >= 1, 'a whole number of at least 1')
    choices = get_args(AdjustLr)
    require('adjust_lr_fn', lambda x: x in choices, f'one of {choices}')
    require(
        'adamw_betas',
        lambda x: len(x) == 2 and all(0 <= beta < 1 for beta in x),
        'two numbers of at least 0 and below 1',
    )
    require('adamw_eps', lambda x: 0 < x < math.inf, 'a finite number above 0')


def _check_sorted(group: Any) -> None:
    if not isinstance(group, dict) or not isinstance(group.get('use_muon'), bool):
        found = f'use_muon={group.get("use_muon")!r}' if isinstance(group, dict) else 'no groups'
        raise W2SError(
            f'MuonWithAdamW was given {found}; expected groups with use_muon=True or False. In a '
            f"config, type optim_wrapper=dict(..., constructor='MuonConstructor')."
        )
