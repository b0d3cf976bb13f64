"""A frozen model, built from a config and a checkpoint."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils._pytree import tree_leaves

from w2s_mm.utils import checks
from w2s_mm.utils.checkpoint import RESAVE, load_checkpoint, load_weights, named
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.hashing import hash_state
from w2s_mm.utils.mm import read_config_file
from w2s_mm.utils.rng import preserved_rng

from .registry import build_part


class FrozenModel:
    """A frozen model in evaluation mode.

    Deliberately not an ``nn.Module``: it does not appear in ``state_dict()``, ``parameters()``,
    ``modules()``, the optimizer or checkpoints, DDP does not synchronise it, and ``.train()`` does
    not affect it. Deep copies of its owner (as EMA makes) share it. It is built on first use,
    without advancing the run's random number generators.

    Args:
        config: Path of an MM config, a name such as
            ``'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'``, or a dict (a whole config, or its
            ``model`` alone).
        checkpoint: Path or URL of its weights, see
            :func:`~w2s_mm.utils.checkpoint.load_checkpoint`.
        weights_only: If False, also load old files that need unpickling, which can run arbitrary
            code.

    Attributes:
        role: Name of the model in error messages.
        setting: Config key of its arguments, for error messages.
        absent: Advice if the checkpoint does not exist, for error messages.
        trusted: Advice if the checkpoint needs unpickling, for error messages.
        classes: Classes it was trained on, according to its checkpoint.
        fingerprint: Hash of its weights and model config; None until loaded.
        released: Whether :meth:`release` was called.

    Raises:
        W2SError: On :meth:`load`: the config or checkpoint is missing or damaged, or they do not
            match.
    """

    role = 'model'
    setting = 'model'
    absent = 'Give the path of an existing file.'
    trusted = RESAVE

    def __init__(
        self, config: str | dict[str, Any], checkpoint: str, weights_only: bool = True
    ) -> None:
        if not isinstance(config, dict):
            checks.text(f'{self.setting}.config', config, 'It is a path, a name or a dict.')
        checks.text(f'{self.setting}.checkpoint', checkpoint, 'It is a path or a URL.')
        checks.flag(f'{self.setting}.weights_only', weights_only)
        self.config = config
        self.checkpoint = checkpoint
        self.weights_only = weights_only
        self.released = False
        self.classes: tuple[str, ...] | None = None
        self.fingerprint: str | None = None
        self._model: nn.Module | None = None
        self._device = torch.device('cpu')

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenModel:
        """Return this object itself: an EMA copy of the student shares the teacher."""
        return self

    @property
    def model(self) -> nn.Module:
        """The frozen model, built on first use."""
        self.load()
        assert self._model is not None
        return self._model

    def load(self) -> None:
        """Build the model and load its weights. Does nothing if already loaded.

        Raises:
            W2SError: The config or checkpoint is missing or damaged, or they do not match.
        """
        if self._model is not None:
            return
        if self.released:
            raise W2SError(f'The {self.role} was released and cannot be loaded again.')
        config = self.read_config()
        with preserved_rng(), DefaultScope.overwrite_default_scope(config.get('default_scope')):
            model = build_part(config.model, f'{self.setting}.config', 'RetinaNet')
        checkpoint = load_checkpoint(
            self.checkpoint,
            weights_only=self.weights_only,
            absent=self.absent,
            trusted=self.trusted,
        )
        load_weights(model, checkpoint['state_dict'], self.checkpoint, f'{self.setting}.config')
        digest = hashlib.sha256(repr(config.model).encode())
        self.fingerprint = hash_state(model.state_dict(), digest, dtypes=True)
        self._model = self._prepared(model.eval()).eval().requires_grad_(False)
        self.classes = _classes_of(checkpoint)

    def _prepared(self, model: nn.Module) -> nn.Module:
        """The model as it is kept; a subclass that reads its weights leaves it unchanged."""
        with preserved_rng():
            return for_inference(model)

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        if device != self._device:
            self.model.to(device, memory_format=torch.contiguous_format)
            self._device = device

    def release(self) -> None:
        """Drop the model and free its memory. It cannot be loaded again."""
        self.released = True
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def read_config(self) -> Config:
        """Its config, with the data preprocessor in ``model``.

        Raises:
            W2SError: There is no such file, or it has no ``model``.
        """
        config = self._read()
        if 'data_preprocessor' in config:  # a top-level key, as in MMPretrain; Runner does the same
            config.model.setdefault('data_preprocessor', config.data_preprocessor)
        return config

    def _read(self) -> Config:
        config, setting = self.config, f'{self.setting}.config'
        if isinstance(config, dict):
            return Config(config if 'model' in config else {'model': config})
        read = read_config_file(config, what=setting)
        if 'model' not in read:
            raise W2SError(
                f'{setting} {config} has no `model` (it has {named(list(read))}). Give the full '
                f'config that the {self.role} was trained with.'
            )
        return read


def _classes_of(checkpoint: dict[str, Any]) -> tuple[str, ...] | None:
    """Classes that a checkpoint of MMEngine names, None if there are none."""
    found: Any = checkpoint
    for key in ('meta', 'dataset_meta', 'classes'):
        found = found.get(key) if isinstance(found, dict) else None
    named = isinstance(found, (list, tuple)) and all(isinstance(name, str) for name in found)
    return tuple(found) if named and found else None


def for_inference(model: nn.Module) -> nn.Module:
    """Optimise the model for inference, if its outputs stay the same.

    Batch norm is folded into the preceding convolution in module order, which is not always the
    order of computation. Weights are stored channels-last, which is faster for CPU inference, but
    some operators (mmcv's RoIAlign) silently misread it. The outputs before and after are
    therefore compared on random images. A two-stage detector cannot run on images alone: only its
    feature extractor is folded.
    """
    # Most models take any size; those with a fixed one have `image_shape` (DDPM).
    images = torch.randn(2, *getattr(model, 'image_shape', (3, 64, 64)))
    ways = (
        (_fold_whole, lambda whole: whole(images, mode='tensor')),
        (_fold_features, lambda whole: whole.extract_feat(images)),
    )
    for fold, run in ways:
        try:
            with torch.no_grad():
                expected = tree_leaves(run(model))
                folded = fold(copy.deepcopy(model))
                for a, b in zip(tree_leaves(run(folded)), expected, strict=True):
                    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
        except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError):
            continue  # the outputs differ, or the model cannot run this way
        return folded
    return model


def _fold_whole(model: Any) -> nn.Module:
    return fuse_conv_bn(model).to(memory_format=torch.channels_last)


def _fold_features(model: Any) -> nn.Module:
    for name in ('backbone', 'neck'):
        if getattr(model, name, None) is not None:
            setattr(model, name, fuse_conv_bn(getattr(model, name)))
    return model
