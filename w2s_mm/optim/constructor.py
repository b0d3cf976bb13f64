"""Which parameters of a model Muon takes, and which AdamW."""

from __future__ import annotations

import inspect
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mmengine.logging import MMLogger, print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS
from torch import nn

from w2s_mm.utils.errors import W2SError

from .muon import MuonWithAdamW, check_settings

MATRIX_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
FACTORS = ('lr_mult', 'decay_mult')
GROUP_SETTINGS = (
    'use_muon',
    'momentum',
    'nesterov',
    'ns_steps',
    'adjust_lr_fn',
    'adamw_betas',
    'adamw_eps',
)


class Sorted(NamedTuple):
    """A parameter's name, and why AdamW takes it; None where Muon does."""

    name: str
    adamw_because: str | None


def sort_parameters(model: nn.Module) -> dict[nn.Parameter, Sorted]:
    """Muon for what maps one hidden layer to another, AdamW for the rest (Jordan 2024).

    AdamW takes vectors (norms, biases), tables (embeddings), the input layer, the output layers
    and grouped convolutions. The latter are no matrix between all channels: every group maps its
    own, a depthwise one a single channel, and orthogonalising the flattened (C, kh * kw) would
    tie filters to one another that share neither input nor output.

    The input layer is the first linear or convolutional one in the order of the modules, frozen or
    not. Output layers are all in a child whose name ends in ``head``, or where there is none, the
    last one.
    """
    layers = [name for name, module in model.named_modules() if isinstance(module, MATRIX_LAYERS)]
    heads = tuple(
        f'{name}.'
        for name, child in model.named_children()
        if name.endswith('head') and next(child.parameters(), None) is not None
    )

    def because(layer: str, module: nn.Module, name: str, parameter: nn.Parameter) -> str | None:
        if parameter.ndim < 2:
            return 'vectors'
        if not isinstance(module, MATRIX_LAYERS) or name != 'weight':
            return 'tables'
        if getattr(module, 'groups', 1) > 1:
            return 'grouped convolutions'
        if layer == layers[0]:
            return 'input layer'
        if layer.startswith(heads) if heads else layer == layers[-1]:
            return 'output layers'
        return None

    found: dict[nn.Parameter, Sorted] = {}
    for layer, module in model.named_modules():
        for name, parameter in module.named_parameters(layer, recurse=False):
            own = name.rpartition('.')[2]
            found.setdefault(parameter, Sorted(name, because(layer, module, own, parameter)))
    return found


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonConstructor(DefaultOptimWrapperConstructor):
    """Builds :class:`MuonWithAdamW` for a model, and logs which parameter went where.

    .. code-block:: python

        optim_wrapper = dict(
            type='OptimWrapper',
            constructor='MuonConstructor',
            optimizer=dict(type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=1e-3),
            paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
        )

    ``paramwise_cfg`` is that of MMEngine's default constructor; its factors apply to the learning
    rate and weight decay of the half that a parameter is in. ``custom_keys`` also take ``use_muon``
    (which overrules :func:`sort_parameters`) and the settings of a group of the optimizer. Frozen
    parameters are left out, and one that is used twice is there once.

    Args:
        optim_wrapper_cfg: Config of the optimizer wrapper, with its ``optimizer``.
        paramwise_cfg: Settings by parameter.

    Raises:
        W2SError: The optimizer is another one, a custom key has an unknown setting, or every
            parameter is frozen.
    """

    paramwise_cfg: dict[str, Any]

    def _validate_cfg(self) -> None:
        # The base multiplies with these: groups then come out with plain factors, which _options
        # applies to the values of either half.
        self.base_lr = self.base_wd = 1.0
        super()._validate_cfg()
        with OPTIMIZERS.switch_scope_and_registry(None) as registry:
            kind = self.optimizer_cfg.get('type')
            kind = registry.get(kind) if isinstance(kind, str) else kind
        if not (inspect.isclass(kind) and issubclass(kind, MuonWithAdamW)):
            raise W2SError(
                f'MuonConstructor was given the optimizer {self.optimizer_cfg.get("type")!r}; '
                f"expected 'MuonWithAdamW'. Type optimizer=dict(type='MuonWithAdamW', lr=0.02)."
            )
        signature = inspect.signature(MuonWithAdamW).parameters
        self.values = {name: p.default for name, p in signature.items()}
        self.values.update(self.optimizer_cfg)
        if self.values['adamw_weight_decay'] is None:
            self.values['adamw_weight_decay'] = self.values['weight_decay']
        check_settings(self.values)
        # Never empty: for an empty one the base hands over all parameters unsorted.
        self.paramwise_cfg = {'custom_keys': {}, **self.paramwise_cfg}
        for key, settings in self.paramwise_cfg['custom_keys'].items():
            if unknown := sorted(set(settings) - {*FACTORS, *GROUP_SETTINGS}):
                raise W2SError(
                    f'paramwise_cfg.custom_keys[{key!r}] has {", ".join(unknown)}; expected any '
                    f'of: {", ".join((*FACTORS, *GROUP_SETTINGS))}.'
                )

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: bool | None = None,
    ) -> None:
        """Add the groups of a whole model to ``params``, Muon's first.

        The base calls this for every submodule too, with its name as ``prefix``.
        """
        if prefix:
            super().add_params(params, module, prefix, is_dcn_module)
            return
        of_parameter: list[dict[str, Any]] = []
        with _silent():  # the factors are no values; what came out is logged below
            super().add_params(of_parameter, module)
        if not of_parameter:
            raise W2SError(
                f'Every parameter of {type(module).__name__} is frozen; expected one to train. '
                f'Lower frozen_stages, or see what sets requires_grad to False.'
            )
        found = sort_parameters(module)
        groups: dict[str, dict[str, Any]] = {}
        seen = set()
        for single in of_parameter:
            (parameter,) = single['params']
            if parameter not in seen:
                seen.add(parameter)
                options = self._options(single, found[parameter].adamw_because is None)
                group = groups.setdefault(repr(sorted(options.items())), {'params': [], **options})
                group['params'].append(parameter)
        # Loggers show the learning rate of the first group.
        params.extend(sorted(groups.values(), key=lambda group: not group['use_muon']))
        _log(params, found)

    def _options(self, single: dict[str, Any], use_muon: bool) -> dict[str, Any]:
        """Settings of a parameter: the factors of the base, applied to those of its half."""
        options = {key: single[key] for key in GROUP_SETTINGS if key in single}
        half = '' if options.setdefault('use_muon', use_muon) else 'adamw_'
        for name in ('lr', 'weight_decay'):
            options[name] = self.values[half + name] * single.get(name, 1.0)
        return options


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches MMEngine's log."""
    logger = MMLogger.get_current_instance()

    def nothing(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)


def _log(groups: list[dict[str, Any]], found: dict[nn.Parameter, Sorted]) -> None:
    lines: dict[str, list[nn.Parameter]] = defaultdict(list)
    for group in groups:
        values = f'lr {group["lr"]:.4g}, weight decay {group["weight_decay"]:.4g}'
        for parameter in group['params']:
            because = found[parameter].adamw_because or 'as custom_keys say'
            kind = 'Muon' if group['use_muon'] else f'AdamW, {because}'
            lines[f'{kind} ({values})'].append(parameter)
    trained = {parameter for group in groups for parameter in group['params']}
    if frozen := [parameter for parameter in found if parameter not in trained]:
        lines['Left out, frozen'] = frozen
    text = [
        f'  {title}: {sum(p.numel() for p in parameters):,} parameters in '
        f'{abbreviated(found[p].name for p in parameters)}'
        for title, parameters in lines.items()
    ]
    some_muon = any(group['use_muon'] for group in groups)
    head = 'MuonConstructor' if some_muon else 'MuonConstructor: there is nothing for Muon here'
    level = logging.INFO if some_muon else logging.WARNING
    print_log('\n'.join([head, *text]), logger='current', level=level)


def abbreviated(names: Iterable[str]) -> str:
    """Names that differ in their numbers alone as one: ``layer*.conv*.weight (16)``."""
    alike = defaultdict(list)
    for name in names:
        alike[re.sub(r'\d+', '*', name)].append(name)
    return ', '.join(
        f'{pattern} ({len(same)})' if len(same) > 1 else same[0] for pattern, same in alike.items()
    )
