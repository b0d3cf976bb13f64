"""Read a checkpoint without running code that may hide in it."""

from __future__ import annotations

import hashlib
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.fileio import get_local_path
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models
from safetensors import SafetensorError
from safetensors.torch import load_file

from .errors import W2SError

BATCH_COUNTER = '.num_batches_tracked'
_MAX_NAMED = 8
_MODEL_ZOOS = ('torchvision://', 'open-mmlab://', 'openmmlab://')
# torch names what it refuses and then advises to allow it, which is no advice for a user.
_REFUSED = re.compile(
    r'(GLOBAL|Unsupported global:|Unsupported class|Trying to (?:load|call|instantiate)'
    r'|Can only (?:build|create|call)[^\n]*?for) ?(?:GLOBAL )?[\w.]*'
)


class _Ignored:
    """Stands in for what an MMEngine checkpoint carries beside weights (its message hub)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def _inert_getattr(*_: Any) -> None:
    """Stands in for ``getattr``, by which an MMEngine message hub pickles its methods."""


def _allowed_globals() -> list[Any]:
    """Globals that ordinary MMEngine checkpoints name; every one builds plain data only."""
    core = np._core if np.lib.NumpyVersion(np.__version__) >= '2.0.0' else np.core
    names = ('float64', 'float32', 'float16', 'int64', 'int32', 'uint32', 'uint8', 'bool', 'str')
    return [
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        (core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(name)) for name in names),
        (_Ignored, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_inert_getattr, 'builtins.getattr'),
        slice,
    ]


def _local_file(source: str) -> Path:
    """Path of ``source``; what is not a path is fetched to torch's hub cache first."""
    if '://' not in source:
        return Path(source).expanduser()
    try:
        address = _zoo_address(source)
        key = hashlib.sha256(address.encode()).hexdigest()[:8]
        target = Path(torch.hub.get_dir()) / 'checkpoints' / f'{key}-{Path(address).name}'
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        if address.startswith(('http://', 'https://')):
            torch.hub.download_url_to_file(address, str(target))
        else:
            with get_local_path(address) as path:  # the file backend MMEngine has for this scheme
                shutil.copyfile(path, target)
    except (OSError, KeyError, ValueError, ImportError) as error:
        raise W2SError(
            f'Checkpoint {source} could not be fetched ({type(error).__name__}: {error}). Download '
            f'it by hand and give the path of the file.'
        ) from error
    return target


def _zoo_address(source: str) -> str:
    """``source``, or the web address behind MMEngine's ``torchvision://`` and ``open-mmlab://``."""
    for prefix in _MODEL_ZOOS:
        if source.startswith(prefix):
            zoo = get_torchvision_models() if 'torchvision' in prefix else get_external_models()
            name = source.removeprefix(prefix)
            if name not in zoo:
                raise KeyError(f'{name} is none of {named(sorted(zoo))}')
            return zoo[name]
    return source


def load_checkpoint(
    source: str,
    *,
    weights_only: bool = True,
    absent: str = 'Give the path of an existing file.',
    setting: str = 'model.teacher',
) -> dict[str, Any]:
    """Load a checkpoint file to the CPU.

    Args:
        source: Path, or an address that MMEngine understands; ``.safetensors`` or anything
            ``torch.save`` wrote.
        weights_only: Refuse files that need more than tensors and plain data. Set False only for
            an old file from a source you trust: unpickling it may run any code.
        absent: What to do where there is no such file, for the message.
        setting: Where a config sets ``weights_only``, for the message.

    Returns:
        The checkpoint as saved; for a bare state dict, ``{'state_dict': ...}``.

    Raises:
        W2SError: The file is absent, damaged, holds no weights, or would run code.
    """
    path = _local_file(source)
    if not path.is_file():
        raise W2SError(f'Checkpoint not found: {source} (looked for {path.absolute()}). {absent}')
    try:
        if path.suffix == '.safetensors':
            checkpoint: Any = load_file(path)
        elif weights_only:
            with torch.serialization.safe_globals(_allowed_globals()):
                checkpoint = torch.load(path, map_location='cpu', weights_only=True)
        else:
            checkpoint = torch.load(path, map_location='cpu', weights_only=False)
    except pickle.UnpicklingError as error:
        refused = _REFUSED.search(str(error))
        if refused is None:
            raise _damaged(path, error) from error
        raise W2SError(
            f'Checkpoint {path} holds more than weights, and loading it could run code that is '
            f'hidden in it ({refused[0]}). If you trust its source, set '
            f'{setting}.weights_only=False.'
        ) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        SafetensorError,
    ) as error:
        raise _damaged(path, error) from error
    if not isinstance(checkpoint, dict):
        raise W2SError(
            f'Checkpoint {path} holds a {type(checkpoint).__name__}; expected a dict of weights.'
        )
    if 'state_dict' not in checkpoint:
        state = checkpoint.get('model', checkpoint)
        checkpoint = {'state_dict': state}
    state = checkpoint['state_dict']
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(value, torch.Tensor) for value in state.values())
    ):
        raise W2SError(
            f'Checkpoint {path} has no state dict of tensors (keys found: '
            f'{named(list(checkpoint))}). Expected the weights under "state_dict", under "model", '
            f'or at the top level.'
        )
    return checkpoint


def load_weights(
    model: torch.nn.Module,
    state: dict[str, torch.Tensor],
    source: str,
    config: str = 'model.teacher.config',
) -> None:
    """Load ``state`` into ``model``; every key and every shape must agree.

    A file may lack the batch counters of its norms, as torchvision's older ones do: no prediction
    depends on them.

    Args:
        model: Takes the weights.
        state: The weights.
        source: Where they are from, for the message.
        config: What the user sets to change the model, for the message.

    Raises:
        W2SError: Keys are missing, unexpected, or of another shape; the message names them.
    """
    if all(key.startswith('module.') for key in state):  # saved from inside a DDP wrapper
        state = {key.removeprefix('module.'): value for key, value in state.items()}
    own = model.state_dict()
    counters = {k: v for k, v in own.items() if k.endswith(BATCH_COUNTER) and k not in state}
    if counters:
        state = {**state, **counters}
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    misshaped = [
        f'{key}: file {tuple(state[key].shape)}, model {tuple(own[key].shape)}'
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    problems = [
        f'{len(keys)} {kind}: {named(keys)}'
        for kind, keys in (
            ('missing in the file', missing),
            ('unexpected in the file', unexpected),
            ('of another shape', misshaped),
        )
        if keys
    ]
    if problems:
        raise W2SError(
            f'Checkpoint {source} does not fit the {type(model).__name__} of {config}. '
            + '; '.join(problems)
            + f'. Set {config} to the config this checkpoint was trained with.'
        )
    model.load_state_dict(state, strict=True)


def named(names: list[str]) -> str:
    """The first few of ``names``, and how many more there are."""
    shown = ', '.join(map(str, names[:_MAX_NAMED]))
    more = len(names) - _MAX_NAMED
    return f'{shown} and {more} more' if more > 0 else shown


def _damaged(path: Path, error: Exception) -> W2SError:
    reason = str(error).split('\n')[0].strip()[:200]
    # torch's advice to load the file with weights_only=False would be wrong here.
    reason = '' if 'weights_only' in reason or 'Weights only' in reason else f'; {reason}'
    return W2SError(
        f'Checkpoint {path} cannot be read ({path.stat().st_size:,} bytes{reason}). It is '
        f'truncated or not a checkpoint: copy or download it again.'
    )
