"""A model that answers and never learns, built from a config and a checkpoint."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.utils._pytree import tree_leaves

from w2s_mm.utils.checkpoint import load_checkpoint, load_weights, named
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.hashing import hash_state
from w2s_mm.utils.mm import read_config_file
from w2s_mm.utils.rng import preserved_rng


class FrozenModel:
    """A frozen model in evaluation mode.

    Not an ``nn.Module`` on purpose: it is in no ``state_dict``, ``parameters()``, ``modules()``,
    optimizer or checkpoint, DDP does not synchronise it and ``.train()`` does not reach it. A deep
    copy of its owner (EMA makes one) shares it. It is built on first use and takes no random
    numbers from the run.

    Args:
        config: Path of an MM config, a name such as
            ``'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'``, or a dict (a whole config, or its
            ``model`` alone).
        checkpoint: Path or address of its weights, as
            :func:`~w2s_mm.utils.checkpoint.load_checkpoint` takes it.
        weights_only: False admits old files that need unpickling, which may run any code.

    Attributes:
        role: What the model is called in errors.
        setting: Where a config sets its arguments, for errors.
        absent: What to do where there is no such checkpoint, for errors.
        classes: Classes that it was trained on, as its checkpoint names them.
        fingerprint: Hash of its weights and of its model config; None until it is loaded.
        released: Whether it was released.

    Raises:
        W2SError: On :meth:`load`: the config or checkpoint is absent, damaged, or they disagree.
    """

    role = 'model'
    setting = 'model'
    absent = 'Give the path of an existing file.'

    def __init__(
        self, config: str | dict[str, Any], checkpoint: str, weights_only: bool = True
    ) -> None:
        self.config = config
        self.checkpoint = checkpoint
        self.weights_only = weights_only
        self.released = False
        self.classes: tuple[str, ...] | None = None
        self.fingerprint: str | None = None
        self._model: nn.Module | None = None
        self._device = torch.device('cpu')

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenModel:
        """Shared, never copied: an EMA of a student needs no second teacher."""
        return self

    @property
    def model(self) -> nn.Module:
        """The frozen model, built on first use."""
        self.load()
        assert self._model is not None
        return self._model

    def load(self) -> None:
        """Build the model and load its weights; does nothing the second time.

        Raises:
            W2SError: The config or checkpoint is absent, damaged, or they disagree.
        """
        if self._model is not None:
            return
        if self.released:
            raise W2SError(f'The {self.role} was released, and is not loaded again.')
        config = self._read_config()
        if 'data_preprocessor' in config:  # beside the model, as in MMPretrain; the Runner's rule
            config.model.setdefault('data_preprocessor', config.data_preprocessor)
        with preserved_rng(), DefaultScope.overwrite_default_scope(config.get('default_scope')):
            model = MODELS.build(config.model)
        checkpoint = load_checkpoint(
            self.checkpoint,
            weights_only=self.weights_only,
            absent=self.absent,
            setting=self.setting,
        )
        load_weights(model, checkpoint['state_dict'], self.checkpoint, f'{self.setting}.config')
        digest = hashlib.sha256(repr(config.model).encode())
        self.fingerprint = hash_state(model.state_dict(), digest, dtypes=True)
        with preserved_rng():
            self._model = for_inference(model.eval()).eval().requires_grad_(False)
        meta = checkpoint.get('meta') or {}
        classes = (meta.get('dataset_meta') or {}).get('classes')
        self.classes = tuple(classes) if classes else None

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        if device != self._device:
            self.model.to(device, memory_format=torch.contiguous_format)
            self._device = device

    def release(self) -> None:
        """Forget the model and free its memory; it is not built again."""
        self.released = True
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _read_config(self) -> Config:
        config, setting = self.config, f'{self.setting}.config'
        if isinstance(config, dict):
            return Config(config if 'model' in config else {'model': config})
        read = read_config_file(config, what=setting)
        if 'model' not in read:
            raise W2SError(
                f'{setting} {config} has no `model` (it has {named(list(read))}). Give the whole '
                f'config that the {self.role} was trained with.'
            )
        return read


def for_inference(model: nn.Module) -> nn.Module:
    """The model made cheaper to ask, where that provably changes nothing.

    Batch norm is folded into the convolutions before it, by the order of the modules, which is not
    always the order of the computation; and weights are laid out channels-last, which is faster
    without a backward pass on a CPU, and which some operators misread without a word (mmcv's
    RoIAlign). So what comes out is compared with what was there. A detector of two stages cannot be
    asked with images alone: there, only what gives the features is folded.
    """
    # Most take any size; one that takes images of a single shape says so (DDPM.image_shape).
    images = torch.randn(2, *getattr(model, 'image_shape', (3, 64, 64)))
    ways = (
        (_fold_whole, lambda whole: whole(images, mode='tensor')),
        (_fold_features, lambda whole: whole.extract_feat(images)),
    )
    for fold, ask in ways:
        try:
            with torch.no_grad():
                expected = tree_leaves(ask(model))
                folded = fold(copy.deepcopy(model))
                for a, b in zip(tree_leaves(ask(folded)), expected, strict=True):
                    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
        except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError):
            continue  # it differs, or is not to be asked this way
        return folded
    return model


def _fold_whole(model: Any) -> nn.Module:
    return fuse_conv_bn(model).to(memory_format=torch.channels_last)


def _fold_features(model: Any) -> nn.Module:
    for name in ('backbone', 'neck'):
        if getattr(model, name, None) is not None:
            setattr(model, name, fuse_conv_bn(getattr(model, name)))
    return model
