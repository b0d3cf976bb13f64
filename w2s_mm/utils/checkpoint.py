"""Load checkpoints without running code they may contain."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import shutil
import zipfile
from mmap import ACCESS_READ
from mmap import mmap as mapped
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from filelock import FileLock  # torch requires it
from mmengine.fileio import get_local_path
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models
from safetensors.torch import load_file

from .errors import W2SError
from .files import is_file

RESAVE = 'load it with torch.load(..., weights_only=False) and save its state dict alone'
BATCH_COUNTER = '.num_batches_tracked'
RUNNING_STATISTICS = ('.running_mean', '.running_var')
_MAX_NAMED = 8
_MAX_LENGTH = 100  # characters of a name in a message
_MODEL_ZOOS = ('torchvision://', 'open-mmlab://', 'openmmlab://')
# The part of torch's message that names what it refuses; its advice to allow it is left out.
_REFUSED = re.compile(
    r'(GLOBAL|Unsupported global:|Unsupported class|Trying to (?:load|call|instantiate)'
    r'|Can only (?:build|create|call)[^\n]*?for) ?(?:GLOBAL )?[\w.]*'
)


class _Ignored:
    """Placeholder for non-weight objects in MMEngine checkpoints (the message hub)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def _inert_getattr(*_: Any) -> None:
    """Placeholder for ``getattr``, with which MMEngine's message hub pickles its methods."""


def _allowed_globals() -> list[Any]:
    """Globals used in ordinary MMEngine checkpoints. All of them build plain data only."""
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
    """Path of ``source``; a URL is downloaded to torch's hub cache first."""
    if '://' not in source:
        return Path(source).expanduser()
    try:
        address = _zoo_address(source)
        key = hashlib.sha256(address.encode()).hexdigest()[:8]
        name = Path(urlsplit(address).path).name  # without a query such as ?download=true
        target = Path(torch.hub.get_dir()) / 'checkpoints' / f'{key}-{name}'
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        # Other ranks, and other runs, may need the same file now: one downloads, the others wait.
        with FileLock(target.with_name(f'.{target.name}.lock')):
            if not target.is_file():
                _download(address, target)
    except (OSError, KeyError, ValueError, ImportError) as error:
        raise W2SError(
            f'Checkpoint {source} could not be downloaded ({type(error).__name__}: {error}). '
            f'Download it manually and give the path of the file.'
        ) from error
    return target


def _download(address: str, target: Path) -> None:
    """Download to a temporary file and rename it, so that no part of it has the final name."""
    temporary = target.with_name(f'.{target.name}.{os.getpid()}')
    try:
        if address.startswith(('http://', 'https://')):
            torch.hub.download_url_to_file(address, str(temporary))
        else:
            with get_local_path(address) as path:  # MMEngine's file backend for this scheme
                shutil.copyfile(path, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _zoo_address(source: str) -> str:
    """``source``, with MMEngine's ``torchvision://`` and ``open-mmlab://`` resolved to a URL."""
    for prefix in _MODEL_ZOOS:
        if source.startswith(prefix):
            zoo = get_torchvision_models() if 'torchvision' in prefix else get_external_models()
            name = source.removeprefix(prefix)
            if name not in zoo:
                raise KeyError(f'{name!r}; expected one of {named(sorted(zoo))}')
            return zoo[name]
    return source


def load_checkpoint(
    source: str,
    *,
    weights_only: bool = True,
    absent: str = 'Give the path of an existing file.',
    trusted: str = RESAVE,
    mmap: bool = False,
) -> dict[str, Any]:
    """Load a checkpoint file to the CPU.

    Args:
        source: Path, or a URL that MMEngine supports; ``.safetensors``, or written by
            ``torch.save``.
        weights_only: Reject files with more than tensors and plain data. Set to False only for an
            old file from a trusted source: unpickling it can run arbitrary code.
        absent: Advice if there is no such file, for the message.
        trusted: Advice if the file is rejected and its source is trusted, for the message.
        mmap: Read a tensor only when it is used, for a caller that needs the rest of the file.

    Returns:
        The checkpoint as saved; for a bare state dict, ``{'state_dict': ...}``.

    Raises:
        W2SError: The file is missing or damaged, has no weights, or could run code.
    """
    path = _local_file(source)
    if not is_file(path):
        raise W2SError(f'Checkpoint not found: {source} (looked for {path.absolute()}). {absent}')
    _check_size(path)
    mmap = mmap and zipfile.is_zipfile(path)  # not the format before torch 1.6
    try:
        if path.suffix == '.safetensors':
            checkpoint: Any = load_file(path)
        elif weights_only:
            _refuse_bytearrays(path)
            with torch.serialization.safe_globals(_allowed_globals()):
                checkpoint = torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)
        else:
            checkpoint = torch.load(path, map_location='cpu', weights_only=False, mmap=mmap)
    except pickle.UnpicklingError as error:
        refused = _REFUSED.search(str(error))
        if refused is None:
            raise _damaged(path, error) from error
        raise W2SError(
            f'Checkpoint {path} contains more than weights; loading it could run arbitrary code '
            f'({refused[0]}). If you trust its source, {trusted}.'
        ) from error
    except Exception as error:  # a damaged file can raise anything, even SystemError
        raise _damaged(path, error) from error
    if not isinstance(checkpoint, dict):
        raise W2SError(
            f'Checkpoint {path} contains a {type(checkpoint).__name__}; expected a dict of weights.'
        )
    if 'state_dict' not in checkpoint:
        state = checkpoint.get('model', checkpoint)
        checkpoint = {'state_dict': state}
    state = checkpoint['state_dict']
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(key, str) for key in state)
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
    """Load ``state`` into ``model``. All keys and shapes must match.

    Only the batch counters of norm layers may be missing, as in older torchvision files, since
    predictions do not depend on them.

    Args:
        model: The model.
        state: The weights.
        source: Source of the weights, for the message.
        config: Config key of the model, for the message.

    Raises:
        W2SError: Keys are missing or unexpected, or shapes differ; the message lists them.
    """
    if all(key.startswith('module.') for key in state):  # saved from a DDP wrapper
        state = {key.removeprefix('module.'): value for key, value in state.items()}
    own = model.state_dict()
    counters = {k: v for k, v in own.items() if k.endswith(BATCH_COUNTER) and k not in state}
    if counters:
        state = {**state, **counters}
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    shared = [key for key in own if key in state]
    mistyped = [
        f'{key}: file {_type_of(state[key])}, model {_type_of(own[key])}'
        for key in shared
        if not _converts(state[key], own[key])
    ]
    misshaped = [
        f'{key}: file {tuple(state[key].shape)}, model {tuple(own[key].shape)}'
        for key in shared
        if not state[key].is_nested and state[key].shape != own[key].shape
    ]
    problems = [
        f'{len(keys)} {kind}: {named(keys)}'
        for kind, keys in (
            ('missing in the file', missing),
            ('unexpected in the file', unexpected),
            ('of a different type', mistyped),
            ('of a different shape', misshaped),
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
    broken = [name for name, value in model.named_parameters() if not value.isfinite().all()]
    # Infinity is used in buffers, for example in attention masks.
    broken += [name for name, value in model.named_buffers() if value.isnan().any()]
    broken += [
        name
        for name, value in model.named_buffers()
        if name.endswith(RUNNING_STATISTICS) and value.isinf().any()
    ]
    if broken:
        raise W2SError(
            f'Checkpoint {source} has NaN or infinity in {len(broken)} of {len(own)} weights: '
            f'{named(broken)}. Its training has diverged, or the file is damaged: use an earlier '
            f'checkpoint, or copy or download it again.'
        )


def _converts(theirs: torch.Tensor, ours: torch.Tensor) -> bool:
    """Whether a weight can be loaded: a number stays what it is, up to its precision.

    The raw integers of a quantised weight would load as floats, and mean something else.
    """
    plain = theirs.layout == torch.strided and not (
        theirs.is_nested or theirs.is_quantized or theirs.is_meta or theirs.is_complex()
    )
    return plain and (theirs.is_floating_point() or not ours.is_floating_point())


def _type_of(tensor: torch.Tensor) -> str:
    special = [
        'nested' if tensor.is_nested else '',
        'meta' if tensor.is_meta else '',
        '' if tensor.layout == torch.strided else str(tensor.layout).removeprefix('torch.'),
        str(tensor.dtype).removeprefix('torch.'),
    ]
    return ' '.join(filter(None, special))


def named(names: list[str]) -> str:
    """The first few of ``names``, and the number of others.

    The names may come from a file: long ones are cut, and control characters are not printed.
    """
    shown = ', '.join(_printable(str(name))[:_MAX_LENGTH] for name in names[:_MAX_NAMED])
    more = len(names) - _MAX_NAMED
    return f'{shown} and {more} more' if more > 0 else shown


def _printable(text: str) -> str:
    return ''.join(char if char.isprintable() else '?' for char in text[: 2 * _MAX_LENGTH])


def _check_size(path: Path) -> None:
    """Refuse an archive whose members need more memory than the file has bytes.

    ``torch.save`` does not compress, so this is no checkpoint of it but possibly a zip bomb.

    Raises:
        W2SError: It does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # no archive, or a damaged one, which is reported when it is read
        return
    claimed = sum(member.file_size for member in members)
    compressed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if compressed or claimed > path.stat().st_size:
        raise W2SError(
            f'Checkpoint {path} has {path.stat().st_size:,} bytes and would need {claimed:,} bytes '
            f'of memory: it is compressed, damaged or hostile. Expected a file of torch.save, '
            f'which is not compressed: unpack it, or copy or download it again.'
        )


def _refuse_bytearrays(path: Path) -> None:
    """Refuse what torch allows, and what fills any amount of memory: ``bytearray(n)``."""
    with (
        path.open('rb') as file,
        contextlib.suppress(ValueError),  # an empty file
        mapped(file.fileno(), 0, access=ACCESS_READ) as content,
    ):
        if content.find(b'\nbytearray\n') >= 0:  # as the opcode GLOBAL names it
            raise pickle.UnpicklingError('Unsupported global: GLOBAL builtins.bytearray')


def _damaged(path: Path, error: Exception) -> W2SError:
    reason = _printable(str(error).split('\n')[0].strip())
    # Drop torch's advice to set weights_only=False, which would be wrong here.
    reason = '' if 'weights_only' in reason or 'Weights only' in reason else f'; {reason}'
    return W2SError(
        f'Checkpoint {path} cannot be read ({path.stat().st_size:,} bytes{reason}). It is '
        f'truncated or not a checkpoint: copy or download it again.'
    )
