"""Refusing runs that split the model over processes."""

from __future__ import annotations

from typing import Any

from .errors import W2SError
from .mm import type_name

# Strategies and model wrappers of MMEngine that do.
SHARDED = (
    'FSDPStrategy',
    'DeepSpeedStrategy',
    'ColossalAIStrategy',
    'MMFullyShardedDataParallel',
    'MMDeepSpeedEngineWrapper',
)


# What needs whole modules, and how to run without it.
_NEEDS = {
    'WeakToStrongHook': ('Distillation', 'For a baseline, set model.gamma=0.'),
    'StartHook': ('A start', 'Without a start, set default_hooks.start=None.'),
}


def check_whole(cfg: Any, hook: str) -> None:
    """Check that a run does not split the model over processes.

    Args:
        cfg: The config of the run.
        hook: Name of the hook that needs whole modules.

    Raises:
        W2SError: It does.
    """
    what, otherwise = _NEEDS[hook]
    for key in ('strategy', 'model_wrapper_cfg'):
        name = type_name((cfg.get(key) or {}).get('type'))
        if name in SHARDED:
            raise W2SError(
                f'{key}.type is {name}, which splits the weights of the model over processes. '
                f'{what} needs whole modules: use one process, or several with '
                f'MMDistributedDataParallel (remove {key}; torchrun and --launcher pytorch). '
                f'{otherwise}'
            )
