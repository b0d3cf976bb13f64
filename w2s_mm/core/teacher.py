"""The frozen teacher: a plain object that no optimizer, checkpoint, DDP or EMA can see."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from w2s_mm.utils.checkpoint import load_checkpoint, load_weights, named
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.hashing import hash_state
from w2s_mm.utils.rng import preserved_rng

from .preprocess import Renormalize


class FrozenTeacher:
    """A weak model ``g`` that answers and never learns (arXiv 2604.15451, section 3).

    Not an ``nn.Module`` on purpose: it is in no ``state_dict``, ``parameters()``, ``modules()``,
    optimizer or checkpoint, DDP does not synchronise it and ``.train()`` does not reach it. A deep
    copy of the student (EMA makes one) shares it. It is built on first use, so that testing a
    student never builds it, and takes no random numbers from the student.

    Args:
        config: Path of an MM config, a name such as
            ``'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'``, or a dict (a whole config, or its
            ``model`` alone).
        checkpoint: Path or address of its weights, as
            :func:`~w2s_mm.utils.checkpoint.load_checkpoint` takes it.
        weights_only: False admits old files that need unpickling, which may run any code.

    Raises:
        W2SError: On :meth:`load`: the config or checkpoint is absent, damaged, or they disagree.
    """

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
        self._renormalize: Renormalize | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenTeacher:
        """Shared, never copied: an EMA of the student needs no second teacher."""
        return self

    @property
    def model(self) -> nn.Module:
        """The frozen model, built on first use."""
        self.load()
        assert self._model is not None
        return self._model

    def load(self) -> None:
        """Build the model and load its weights; does nothing the second time."""
        if self._model is not None:
            return
        if self.released:
            raise W2SError('The teacher was released when distillation ended; it is not reloaded.')
        config = _read_config(self.config)
        if 'data_preprocessor' in config:  # beside the model, as in MMPretrain; the Runner's rule
            config.model.setdefault('data_preprocessor', config.data_preprocessor)
        with preserved_rng(), DefaultScope.overwrite_default_scope(config.get('default_scope')):
            model = MODELS.build(config.model)
        checkpoint = load_checkpoint(
            self.checkpoint,
            weights_only=self.weights_only,
            absent='Train the teacher first, or point model.teacher.checkpoint at its checkpoint.',
        )
        load_weights(model, checkpoint['state_dict'], self.checkpoint)
        self.fingerprint = _fingerprint(model, config)
        with preserved_rng():
            self._model = _for_inference(model.eval()).eval().requires_grad_(False)
        meta = checkpoint.get('meta') or {}
        classes = (meta.get('dataset_meta') or {}).get('classes')
        self.classes = tuple(classes) if classes else None

    def to(self, device: torch.device) -> None:
        """Follow the student's device."""
        if device != self._device:
            self.model.to(device, memory_format=torch.contiguous_format)
            self._device = device

    def reconcile(self, student: nn.Module) -> Renormalize:
        """How the student's batches become the teacher's; worked out on the first call.

        Raises:
            W2SError: The two preprocessors cannot be reconciled.
        """
        if self._renormalize is None:
            self._renormalize = Renormalize(student.data_preprocessor, self.model.data_preprocessor)
        return self._renormalize

    def see(self, student: nn.Module, inputs: Tensor, samples: Sequence[Any] | None) -> Tensor:
        """The student's batch as this teacher was trained to see it.

        Args:
            student: The model whose ``data_preprocessor`` normalised ``inputs``.
            inputs: Images of shape (N, C, H, W).
            samples: Their N data samples.

        Returns:
            Images of shape (N, C, H, W), on the same device.

        Raises:
            W2SError: The two preprocessors cannot be reconciled.
        """
        return self.reconcile(student)(inputs, samples)

    def release(self) -> None:
        """Forget the model and free its memory; it is not built again."""
        self.released = True
        self._model = None
        self._renormalize = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _read_config(config: str | dict[str, Any]) -> Config:
    if isinstance(config, dict):
        return Config(config if 'model' in config else {'model': config})
    if '::' in config:
        try:
            read = get_config(config)
        except (OSError, ValueError, ImportError) as error:
            raise W2SError(
                f'Teacher config not found: {config} ({str(error)[:120]}). Expected '
                f"'<package>::<path below its configs>'."
            ) from error
    elif Path(config).is_file():
        read = Config.fromfile(config)
    else:
        raise W2SError(
            f'Teacher config not found: {config} (looked for {Path(config).absolute()}). Give a '
            f"path, or a name such as 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'."
        )
    if 'model' not in read:
        raise W2SError(
            f'Teacher config {config} has no `model` (it has {named(list(read))}). Give the whole '
            f'training config of the teacher.'
        )
    return read


def _fingerprint(model: nn.Module, config: Config) -> str:
    """Hash of weights and model configuration: what the reference metric depends on."""
    digest = hashlib.sha256(repr(config.model).encode())
    return hash_state(model.state_dict(), digest, dtypes=True)


def _for_inference(model: nn.Module) -> nn.Module:
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
