"""Whether a started model computes what its source computes: both are run on one batch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from w2s_mm.core.preprocess import Renormalize

IMAGES = 2
TOLERANCE = 1e-5  # of the largest output, in double precision; the weights are rounded to single
ERRORS = (AssertionError, AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Difference:
    """Result of a comparison of two models on one batch.

    Attributes:
        largest: Largest absolute difference of an output; None if they could not be compared.
        scale: Largest absolute output of the source.
        why_not: Why the start is not lossless; empty if it is.
    """

    largest: float | None
    scale: float
    why_not: str

    @property
    def lossless(self) -> bool:
        """Whether all outputs are equal, but for rounding."""
        return not self.why_not

    def describe(self) -> str:
        """One clause for the log."""
        if self.lossless:
            return f'lossless, largest difference {self.largest:.1e}'
        if self.largest is None:
            return f'not lossless: {self.why_not}'
        return (
            f'not lossless: {self.why_not}, largest difference {self.largest:.2g} of outputs up '
            f'to {self.scale:.2g}'
        )


def largest_difference(
    student: nn.Module, source: nn.Module, shape: Sequence[int] = (3, 64, 64)
) -> Difference:
    """Run copies of both models on the same random images, in double precision on the CPU.

    The images are normal noise from a separate generator, so that the run's data loader and random
    numbers are untouched. Both models are in evaluation mode. A source with another normalisation
    receives the same pixels in its own. Of a two-stage detector the features, the RPN and the box
    head on fixed boxes are compared.

    Args:
        student: The model after its start.
        source: The model that it was started from.
        shape: Shape (C, H, W) of an image.
    """
    ours, theirs = (copy.deepcopy(model).cpu().double().eval() for model in (student, source))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(IMAGES, *shape, generator=generator, dtype=torch.float64)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            a = _outputs(ours, images)
            convert = Renormalize(student.data_preprocessor, source.data_preprocessor)
            torch.manual_seed(0)
            b = _outputs(theirs, convert(images, None))
    except ERRORS as error:
        reason = str(error).split('\n')[0][:200]
        return Difference(None, 0.0, f'they could not be compared ({reason})')
    scale = max((float(each.abs().max()) for each in b), default=0.0)
    if [each.shape for each in a] != [each.shape for each in b]:
        return Difference(None, scale, 'the outputs have other shapes')
    largest = max((float((x - y).abs().max()) for x, y in zip(a, b, strict=True)), default=0.0)
    same = bool(a) and scale > 0 and largest <= TOLERANCE * scale
    return Difference(largest, scale, '' if same else 'the outputs differ')


def noising_steps(model: Any) -> int | None:
    """Length of the noising process of a diffusion model, None of any other model."""
    betas = getattr(getattr(model, 'diffusion', None), 'betas', None)
    return None if betas is None else len(betas)


def _outputs(model: Any, images: Tensor) -> list[Tensor]:
    if hasattr(model, 'roi_head') and hasattr(model, 'extract_feat'):
        features = model.extract_feat(images)
        return _tensors([model.rpn_head(features), _boxes(model.roi_head, features)])
    steps = noising_steps(model)
    if steps and 'timesteps' in inspect.signature(model.forward).parameters:
        moments = torch.linspace(0, steps - 1, len(images) + 2).long()[1:-1]
        return _tensors(model(images, mode='tensor', timesteps=moments))
    return _tensors(model(images, mode='tensor'))


def _boxes(head: Any, features: Any) -> Any:
    """Outputs of a box head on a few fixed boxes; of a cascade, of each stage."""
    boxes = torch.tensor([[0, 4, 4, 40, 40], [1, 8, 2, 60, 30]], dtype=torch.float64)
    extractors, heads = head.bbox_roi_extractor, head.bbox_head
    if not isinstance(heads, nn.ModuleList):
        extractors, heads = [extractors], [heads]
    return [
        each(extract(features[: extract.num_inputs], boxes))
        for extract, each in zip(extractors, heads, strict=True)
    ]


def _tensors(outputs: Any) -> list[Tensor]:
    return [
        leaf
        for leaf in tree_leaves(outputs)
        if isinstance(leaf, Tensor) and leaf.is_floating_point()
    ]
