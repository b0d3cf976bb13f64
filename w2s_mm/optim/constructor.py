"""Assign the parameters of a model to Muon or AdamW."""

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
    """Name of a parameter, and why it is assigned to AdamW; None for Muon."""

    name: str
    adamw_because: str | None


def sort_parameters(model: nn.Module) -> dict[nn.Parameter, Sorted]:
    """Assign weights between hidden layers to Muon and the rest to AdamW (Jordan 2024).

    AdamW gets vectors (norms, biases), tables (embeddings), the input layer, the output layers and
    grouped convolutions. A grouped convolution is not one matrix between all channels: each group
    maps its own channels, and orthogonalising the flattened weight (C, kh * kw) would couple
    filters that share neither input nor output.

    The input layer is the first linear or convolutional layer in module order, frozen or not. The
    output layers are all layers in children whose name ends in ``head``, or else the last layer.
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
    """Builds :class:`MuonWithAdamW` for a model, and logs the assignment of parameters.

    .. code-block:: python

        optim_wrapper = dict(
            type='OptimWrapper',
            constructor='MuonConstructor',
            optimizer=dict(type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=1e-3),
            paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
        )

    ``paramwise_cfg`` works as in MMEngine's default constructor; its factors apply to the learning
    rate and weight decay of Muon or AdamW, whichever has the parameter. ``custom_keys`` also accept
    ``use_muon`` (which overrides :func:`sort_parameters`) and the group settings of the optimizer.
    Frozen parameters are skipped, and shared parameters are added once.

    Args:
        optim_wrapper_cfg: Config of the optimizer wrapper, with its ``optimizer``.
        paramwise_cfg: Settings per parameter.

    Raises:
        W2SError: The optimizer is not :class:`MuonWithAdamW`, a custom key has an unknown setting,
            or all parameters are frozen.
    """

    paramwise_cfg: dict[str, Any]

    def _validate_cfg(self) -> None:
        # The base class multiplies with these. With 1.0 the groups have plain factors, which
        # _options applies to the values of Muon or AdamW.
        self.base_lr = self.base_wd = 1.0
        super()._validate_cfg()
        with OPTIMIZERS.switch_scope_and_registry(None) as registry:
            kind = self.optimizer_cfg.get('type')
            kind = registry.get(kind) if isinstance(kind, str) else kind
        if not (inspect.isclass(kind) and issubclass(kind, MuonWithAdamW)):
            raise W2SError(
                f'MuonConstructor was given the optimizer {self.optimizer_cfg.get("type")!r}; '
                f"expected 'MuonWithAdamW'. Set optimizer=dict(type='MuonWithAdamW', lr=0.02)."
            )
        signature = inspect.signature(MuonWithAdamW).parameters
        self.values = {name: p.default for name, p in signature.items()}
        self.values.update(self.optimizer_cfg)
        if self.values['adamw_weight_decay'] is None:
            self.values['adamw_weight_decay'] = self.values['weight_decay']
        check_settings(self.values)
        # Never empty: with an empty one the base class does not call add_params.
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
        """Add the groups of a whole model to ``params``, those of Muon first.

        The base class also calls this for every submodule, with its name as ``prefix``.
        """
        if prefix:
            super().add_params(params, module, prefix, is_dcn_module)
            return
        of_parameter: list[dict[str, Any]] = []
        with _log_disabled():  # the base logs factors; the final values are logged below
            super().add_params(of_parameter, module)
        if not of_parameter:
            raise W2SError(
                f'All parameters of {type(module).__name__} are frozen; expected at least one that '
                f'is trained. Lower frozen_stages, or check what sets requires_grad to False.'
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
        """Settings of a parameter: those of Muon or AdamW, times its factors."""
        options = {key: single[key] for key in GROUP_SETTINGS if key in single}
        prefix = '' if options.setdefault('use_muon', use_muon) else 'adamw_'
        for name in ('lr', 'weight_decay'):
            options[name] = self.values[prefix + name] * single.get(name, 1.0)
        return options


@contextmanager
def _log_disabled() -> Iterator[None]:
    """Discard MMEngine's log messages inside the context."""
    logger = MMLogger.get_current_instance()

    def discard(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(discard)
    try:
        yield
    finally:
        logger.removeFilter(discard)


def _log(groups: list[dict[str, Any]], found: dict[nn.Parameter, Sorted]) -> None:
    lines: dict[str, list[nn.Parameter]] = defaultdict(list)
    for group in groups:
        values = f'lr {group["lr"]:.4g}, weight decay {group["weight_decay"]:.4g}'
        for parameter in group['params']:
            because = found[parameter].adamw_because or 'set by custom_keys'
            kind = 'Muon' if group['use_muon'] else f'AdamW, {because}'
            lines[f'{kind} ({values})'].append(parameter)
    trained = {parameter for group in groups for parameter in group['params']}
    if frozen := [parameter for parameter in found if parameter not in trained]:
        lines['Frozen, skipped'] = frozen
    text = [
        f'  {title}: {sum(p.numel() for p in parameters):,} parameters in '
        f'{abbreviated(found[p].name for p in parameters)}'
        for title, parameters in lines.items()
    ]
    some_muon = any(group['use_muon'] for group in groups)
    head = 'MuonConstructor' if some_muon else 'MuonConstructor: no parameters for Muon'
    level = logging.INFO if some_muon else logging.WARNING
    print_log('\n'.join([head, *text]), logger='current', level=level)


def abbreviated(names: Iterable[str]) -> str:
    """Group names that differ only in numbers: ``layer*.conv*.weight (16)``."""
    alike = defaultdict(list)
    for name in names:
        alike[re.sub(r'\d+', '*', name)].append(name)
    return ', '.join(
        f'{pattern} ({len(same)})' if len(same) > 1 else same[0] for pattern, same in alike.items()
    )
