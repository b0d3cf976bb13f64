"""The model whose weights a run starts from, and which of its layers belong to its classes."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from w2s_mm.core.frozen_model import FrozenModel
from w2s_mm.utils.rng import preserved_rng


class StartSource(FrozenModel):
    """A trained model whose weights are copied; it is never trained and never run on a batch.

    Args:
        config: See :class:`~w2s_mm.core.frozen_model.FrozenModel`.
        checkpoint: See :class:`~w2s_mm.core.frozen_model.FrozenModel`.
        weights_only: See :class:`~w2s_mm.core.frozen_model.FrozenModel`.
    """

    role = 'source of the start'
    setting = 'default_hooks.start'
    trusted = 'set default_hooks.start.weights_only=False'
    absent = 'Train that model first, or set default_hooks.start.checkpoint to its checkpoint.'

    def _prepared(self, model: nn.Module) -> nn.Module:
        return model  # batch norm that is folded into a convolution could not be copied


def class_counts(config: Any) -> set[int]:
    """All values of ``num_classes`` in the config of a model."""
    if isinstance(config, dict):
        own = config.get('num_classes')
        inner = (class_counts(value) for value in config.values())
        return set().union({own} if isinstance(own, int) else set(), *inner)
    if isinstance(config, (list, tuple)):
        return set().union(*(class_counts(value) for value in config))
    return set()


def class_layers(config: Config) -> frozenset[str]:
    """Names of the weights whose shape depends on the number of classes.

    They are found by building the model twice, with one class more the second time.

    Args:
        config: Config of a run, with ``model``.
    """
    changed = copy.deepcopy(config)
    _add_a_class(changed.model)
    shapes = []
    with preserved_rng(), DefaultScope.overwrite_default_scope(config.get('default_scope')):
        for each in (config, changed):
            built = MODELS.build(each.model)
            shapes.append({name: value.shape for name, value in built.state_dict().items()})
    return frozenset(name for name, shape in shapes[0].items() if shapes[1].get(name) != shape)


def _add_a_class(config: Any) -> None:
    if isinstance(config, dict):
        if isinstance(config.get('num_classes'), int):
            config['num_classes'] += 1
        for value in config.values():
            _add_a_class(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            _add_a_class(value)
