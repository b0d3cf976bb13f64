"""Muon for the matrices of a network and AdamW for the rest, in one optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, get_args

import torch
from mmengine.registry import OPTIMIZERS
from torch import Tensor
from torch.optim.adamw import adamw

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

AdjustLr = Literal['original', 'match_rms_adamw']
# Quintic a x + b x^3 + c x^5 that maps singular values in (0, 1] to about 1 (Jordan 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
TINY = 1e-7


# torch.optim.Muon needs torch 2.9 (this package supports 2.6) and accepts only 2D parameters, and
# its orthogonalisation is private. The tests compare each update with torch's.
def orthogonalized(matrix: Tensor, steps: int = 5, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    r"""About :math:`U V^\top` of ``matrix`` :math:`= U S V^\top`, by Newton-Schulz iteration.

    .. math:: X \leftarrow a X + (b X X^\top + c (X X^\top)^2) X, \quad X_0 = G / \|G\|_F

    which keeps U and V and applies the quintic to each singular value (Jordan 2024, "Muon: an
    optimizer for hidden layers in neural networks"). Five steps map those above 1/500 of the norm
    to between 0.68 and 1.21. Higher accuracy does not improve training.

    Args:
        matrix: Shape (rows, columns).
        steps: Number of iterations.
        dtype: Precision of the iteration. Default: bfloat16, as published.

    Returns:
        Shape (rows, columns), in ``dtype``; 0 for a zero matrix.
    """
    a, b, c = QUINTIC
    x = matrix.to(dtype)
    tall = x.shape[0] > x.shape[1]
    if tall:  # use the smaller Gram matrix
        x = x.mT
    x = x / x.norm().clamp(min=TINY)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def update_scale(rows: int, columns: int, adjust_lr_fn: AdjustLr) -> float:
    """Factor on the learning rate of a matrix, depending on its shape.

    ``'original'``, sqrt(max(1, rows / columns)), equalises the effect of updates on activations
    (Jordan 2024). ``'match_rms_adamw'``, 0.2 sqrt(max(rows, columns)), matches the root mean square
    of AdamW's updates, so AdamW's learning rate and weight decay can be used (arXiv 2502.16982).
    """
    if adjust_lr_fn == 'original':
        return math.sqrt(max(1.0, rows / columns))
    return 0.2 * math.sqrt(max(rows, columns))


@OPTIMIZERS.register_module()
class MuonWithAdamW(torch.optim.Optimizer):
    r"""Muon (Jordan 2024) for hidden weights, AdamW (arXiv 1711.05101) for all others.

    Muon treats a weight as a matrix (out, all other dimensions); that of a convolution is
    (out, in * kh * kw), which acts on a patch of the image. With gradient :math:`g` and momentum
    :math:`m \leftarrow \mu m + (1 - \mu) g`, a step is

    .. math::
        w \leftarrow (1 - \eta \lambda) w - \eta\, s\, \mathrm{orthogonalized}(\mu m + (1 - \mu) g)

    with :func:`orthogonalized` and ``s`` from :func:`update_scale`; without Nesterov, ``m`` itself
    is orthogonalised. Every group has its own ``lr``, so schedulers scale Muon and AdamW alike.
    Each rank needs the full weights (DDP, not FSDP or ZeRO).

    Use it with ``constructor='MuonConstructor'``, which sorts the parameters of a model.

    Args:
        params: Groups, each with ``use_muon``. A group may override ``lr``, ``weight_decay``, and
            the arguments from ``momentum`` on.
        lr: Learning rate of the Muon groups.
        weight_decay: Decoupled weight decay of the Muon groups.
        adamw_lr: Learning rate of the AdamW groups.
        adamw_weight_decay: Weight decay of the AdamW groups. Default: ``weight_decay``.
        momentum: Muon's ``mu``, in [0, 1).
        nesterov: Whether Muon uses Nesterov momentum.
        ns_steps: Newton-Schulz iterations per step.
        adjust_lr_fn: ``'original'`` or ``'match_rms_adamw'``, see :func:`update_scale`.
        adamw_betas: AdamW's ``betas``, each in [0, 1).
        adamw_eps: AdamW's ``eps``, above 0.

    Raises:
        W2SError: A setting is out of range, a group has no ``use_muon``, or a Muon parameter has
            fewer than two dimensions.
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
        for_adamw = {'lr': adamw_lr, 'weight_decay': adamw_weight_decay}
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
        super().__init__([{**({} if g['use_muon'] else for_adamw), **g} for g in groups], defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as ``torch.optim.Optimizer`` does, and check its settings.

        Raises:
            W2SError: See the class.
        """
        _check_sorted(param_group)
        super().add_param_group(param_group)
        check_settings(self.param_groups[-1])
        if param_group['use_muon']:
            for parameter in self.param_groups[-1]['params']:
                if parameter.ndim < 2:
                    raise W2SError(
                        f'A parameter of shape {tuple(parameter.shape)} has use_muon=True; '
                        f'expected at least two dimensions. Set use_muon=False.'
                    )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of a :class:`MuonWithAdamW` with the same groups.

        Raises:
            W2SError: The state is of another optimizer, or its groups differ in ``use_muon``.
        """
        found = [group.get('use_muon') for group in state_dict['param_groups']]
        expected = [group['use_muon'] for group in self.param_groups]
        if found != expected:
            raise W2SError(
                f'The optimizer state to resume has groups with use_muon={found}; expected '
                f'{expected}. Resume with the config it was trained with, or load only its '
                f'weights: load_from=<checkpoint> without --resume.'
            )
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient.

        Args:
            closure: Recomputes the loss and its gradients. Optional.

        Returns:
            The result of ``closure``, or None.
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
    """Check the settings of :class:`MuonWithAdamW`.

    Raises:
        W2SError: One is out of range; the message names it as in the config.
    """
    rate = partial(checks.number, least=0)
    fraction = partial(checks.number, least=0, below=1)
    limits: dict[str, Callable[[str, Any], None]] = {
        **dict.fromkeys(('lr', 'weight_decay', 'adamw_lr', 'adamw_weight_decay'), rate),
        'momentum': fraction,
        'nesterov': checks.flag,
        'ns_steps': partial(checks.whole_number, most=100),
        'adjust_lr_fn': partial(checks.choice, allowed=get_args(AdjustLr)),
        'adamw_betas': partial(checks.several, check=fraction, count=2),
        'adamw_eps': partial(checks.number, above=0),
    }
    for name, check in limits.items():
        if name in settings:
            check(f'optimizer.{name}', settings[name])


def _check_sorted(group: Any) -> None:
    if not isinstance(group, dict) or not isinstance(group.get('use_muon'), bool):
        found = f'use_muon={group.get("use_muon")!r}' if isinstance(group, dict) else 'no groups'
        raise W2SError(
            f'MuonWithAdamW was given {found}; expected groups with use_muon=True or False. In a '
            f"config, set optim_wrapper=dict(..., constructor='MuonConstructor')."
        )
