"""The hook that gives a run its first weights: those of a weaker model, inherited or grown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn

from w2s_mm.start import (
    Difference,
    Selection,
    StartSource,
    class_layers,
    grow,
    inherit,
    largest_difference,
    select,
)
from w2s_mm.start.parts import check_geometry
from w2s_mm.start.source import class_counts
from w2s_mm.utils.checkpoint import named
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import is_resuming, unwrapped
from w2s_mm.utils.rng import preserved_rng
from w2s_mm.utils.sharding import check_whole

# Edge of an image on which the models are compared; the usual stride of a backbone.
LONGEST, STRIDE = 256, 32


@HOOKS.register_module()
class StartHook(Hook):
    """Starts a run from the weights of a weaker model, once, before the first iteration.

    It works on plain models and on students, with distillation and without, and leaves plain
    checkpoints: it only changes the values of the model's own weights, after ``init_weights`` and
    ``load_from``. A resumed run goes on from its checkpoint, and the weaker model is not read
    again. No random number of the run is used, so that the order of the data stays that of the
    baseline.

    What was copied, what was not and why, and the largest difference of the outputs of both models
    on one batch are logged.

    Args:
        how: ``'inherit'`` copies tensors of equal name and shape; ``'grow'`` expands the weaker
            model in width and depth, see :func:`~w2s_mm.start.grow`.
        parts: Beginnings of names in the student's state dict, such as ``['neck', 'bbox_head']``,
            or ``['all']``. Default: see :func:`~w2s_mm.start.select`.
        keep: Share of the started weights, from 0 to 1; the rest is the student's own initial
            weight (shrink and perturb, arXiv 1910.08475).
        noise: With ``'grow'``, how unevenly the weights of duplicated channels are split. With 0
            the duplicates stay equal for ever.
        config: Config of the weaker model. Default: that of ``model.teacher``.
        checkpoint: Its weights. Default: those of ``model.teacher``.
        weights_only: If False, also load old files that need unpickling, which can run arbitrary
            code.

    Attributes:
        difference: What was found on one batch; None before the start, and in a resumed run.
        summary: What ``run.json`` has of the start; None in a resumed run.

    Raises:
        W2SError: An argument is out of range; or, before training starts, the weaker model is
            missing or does not fit, or the run splits the model over processes.
    """

    priority = 'HIGH'  # before the teacher's reference is measured and the weights are recorded

    def __init__(
        self,
        how: Literal['inherit', 'grow'],
        parts: Sequence[str] | None = None,
        keep: float = 1.0,
        noise: float = 0.5,
        config: str | dict[str, Any] | None = None,
        checkpoint: str | None = None,
        weights_only: bool = True,
    ) -> None:
        if how not in ('inherit', 'grow'):
            raise W2SError(f"default_hooks.start.how is {how!r}; expected 'inherit' or 'grow'.")
        if isinstance(parts, str) or (parts is not None and not parts):
            raise W2SError(
                f'default_hooks.start.parts is {parts!r}; expected a list of names, such as '
                f"['neck', 'bbox_head'], or None for the default."
            )
        if not 0 <= keep <= 1:
            raise W2SError(f'default_hooks.start.keep is {keep}; expected a number from 0 to 1.')
        if not noise >= 0:
            raise W2SError(f'default_hooks.start.noise is {noise}; expected at least 0.')
        self.how, self.parts, self.keep, self.noise = how, parts, keep, noise
        self.config, self.checkpoint, self.weights_only = config, checkpoint, weights_only
        self.difference: Difference | None = None
        self.summary: dict[str, Any] | None = None
        self._resumed = False

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Notice a resumed run. One that found nothing to resume from is started."""
        self._resumed = is_resuming(runner)

    def before_train(self, runner: Any) -> None:
        """Start the model; after ``init_weights``, which MMEngine calls after ``before_run``.

        Raises:
            W2SError: The weaker model is missing or damaged, or does not fit, or the run splits
                the model over processes.
        """
        if self._resumed:
            runner.logger.info('Start: the run is resumed, so it goes on from its checkpoint.')
            return
        check_whole(runner.cfg, 'StartHook')
        source = self._source(runner.cfg.model)
        source.load()
        student = unwrapped(runner.model)
        selection = select(student, self.how, self.parts)
        check_geometry(student, source.model, selection)
        classes = self._class_layers(runner, source)
        values, missing = self._values(student, source.model, selection, classes)
        blend(student, values, self.keep)
        self.difference = largest_difference(student, source.model, _image_shape(runner, student))
        self.summary = {
            'how': self.how,
            'parts': list(selection.parts),
            'keep': self.keep,
            'checkpoint': source.checkpoint,
            'fingerprint': source.fingerprint,
            'lossless': self.difference.lossless,
            'largest_difference': self.difference.largest,
        }
        runner.logger.info(self._report(student, selection, values, missing, classes, source))

    def _source(self, model: Any) -> StartSource:
        teacher = model.get('teacher') or {}
        config = self.config or teacher.get('config')
        checkpoint = self.checkpoint or teacher.get('checkpoint')
        if config is None or checkpoint is None:
            raise W2SError(
                'The run has no teacher whose weights it could start from. Set '
                'default_hooks.start.config and default_hooks.start.checkpoint.'
            )
        return StartSource(config, checkpoint, self.weights_only)

    def _class_layers(self, runner: Any, source: StartSource) -> frozenset[str]:
        """Layers to leave out, because the source was trained on other classes."""
        config = source.read_config()
        dataset = runner.train_dataloader.dataset
        ours = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        renamed = bool(ours and source.classes and tuple(ours) != source.classes)
        if renamed or class_counts(config.model) != class_counts(runner.cfg.model):
            return class_layers(config)
        return frozenset()

    def _values(
        self, student: nn.Module, source: nn.Module, selection: Selection, classes: frozenset[str]
    ) -> tuple[dict[str, Tensor], list[str]]:
        if self.how == 'grow':
            return grow(student, source, selection, classes, self.noise), []
        return inherit(student.state_dict(), source.state_dict(), selection, classes)

    def _report(
        self,
        student: nn.Module,
        selection: Selection,
        values: dict[str, Tensor],
        missing: list[str],
        classes: frozenset[str],
        source: StartSource,
    ) -> str:
        assert self.difference is not None
        lines = [
            f'Start ({self.how}, keep {self.keep:g}): {len(values)} of '
            f'{len(student.state_dict())} tensors from {source.checkpoint}, of the parts '
            f'{", ".join(selection.parts)}; all others keep their initial values'
        ]
        left_out = sorted(name for name in classes if name in selection)
        if left_out:
            lines.append(
                f'{len(left_out)} class layers left out, as it was trained on other classes: '
                f'{named(left_out)}'
            )
        if missing:
            lines.append(f'{len(missing)} left out, as they do not fit: {named(missing)}')
        return f'{"; ".join(lines)}. On one batch: {self.difference.describe()}.'


def _image_shape(runner: Any, student: Any) -> tuple[int, ...]:
    """Shape (C, H, W) of a validation image, of which long edges are cut."""
    if hasattr(student, 'image_shape'):  # DDPM, which is validated on seeds
        return tuple(student.image_shape)
    image = None
    if runner.val_loop is not None:
        with preserved_rng():
            image = runner.val_loop.dataloader.dataset[0].get('inputs')
    if not isinstance(image, Tensor) or image.ndim != 3:
        return (3, LONGEST, LONGEST)
    edges = (edge if edge < STRIDE else edge // STRIDE * STRIDE for edge in image.shape[1:])
    return (image.shape[0], *(min(edge, LONGEST) for edge in edges))


def blend(student: nn.Module, values: dict[str, Tensor], keep: float = 1.0) -> None:
    """Set ``keep * value + (1 - keep) * own``, in place.

    The running statistics of a norm are blended like weights. The mean is linear in the weights of
    the layer before; the variance is estimated anew within the first iterations.

    Args:
        student: The model.
        values: New values by name in its state dict.
        keep: Share of the new values.
    """
    state = student.state_dict()
    with torch.no_grad():
        # All before the first is set: one tensor can have two names (RTMDet shares convolutions).
        blended = {
            name: keep * value.to(state[name].device) + (1 - keep) * state[name]
            for name, value in values.items()
        }
        for name, value in blended.items():
            own = state[name]
            own.copy_(value if own.is_floating_point() else value.round())
