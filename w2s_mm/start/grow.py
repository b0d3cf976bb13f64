"""Grow: expand a network in width and depth so that it computes what it did."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from w2s_mm.utils.errors import W2SError

from .channels import (
    channel_map,
    embedding_map,
    flattened_map,
    head_map,
    query_scale,
    split_inputs,
)
from .difference import noising_steps
from .identity import identity_values
from .parts import Selection

# Blocks of a U-Net's way up. They take the features of the way down in reverse order.
UP_BLOCKS = ('UpBlock2D', 'AttnUpBlock2D')


def grow(
    student: nn.Module,
    source: nn.Module,
    selection: Selection,
    left_out: Collection[str] = (),
    noise: float = 0.0,
) -> dict[str, Tensor]:
    """The weights of a larger network that computes what a smaller one of its kind does.

    *Width*: every channel of the smaller network is duplicated, and the weights that read the
    duplicates share what one had (Net2Net, arXiv 1511.05641; unevenly, as in LEMON, arXiv
    2310.07999, so that the duplicates learn different things). This is lossless for convolutions,
    linear layers, batch norm and attention with any widths. It is lossless for layer norm if the
    width is a multiple, and for group norm if the number of groups stays and the channels of a
    group are a multiple.

    *Depth*: additional residual blocks begin as the identity. They are put at the end of a stage;
    on the way up of a U-Net after the first block, where each of the other blocks then meets the
    skip connection that it was trained with.

    Both networks must be of one kind: blocks of the same types, equal kernels and strides. Whether
    the result is lossless as a whole is measured, see :func:`largest_difference`.

    Args:
        student: The larger network.
        source: The smaller network.
        selection: Parts of the student.
        left_out: Names of weights that are not set.
        noise: How unevenly weights are split, see :func:`~w2s_mm.start.channels.split_inputs`.

    Returns:
        New values by name in the student's state dict.

    Raises:
        W2SError: The source cannot be grown into this student.
    """
    grower = _Grower(selection, left_out, noise, noising_steps(source) or 1000)
    with torch.no_grad():
        grower.walk('', student, source)
    return grower.values


class _Grower:
    """Walks through both networks, side by side.

    Attributes:
        values: The new weights found so far.
    """

    def __init__(
        self, selection: Selection, left_out: Collection[str], noise: float, steps: int
    ) -> None:
        self.values: dict[str, Tensor] = {}
        self._selection, self._left_out = selection, left_out
        self._noise, self._steps = noise, steps
        # The same on every rank, and none of the run's random numbers.
        self._generator = torch.Generator().manual_seed(0)
        # Where a module knows more of the layers inside than their shapes say, by their paths.
        self._outputs: dict[str, tuple[Tensor, Tensor | None]] = {}  # map, factor
        self._inputs: dict[str, Tensor] = {}  # map
        self._embeddings: dict[str, Tensor] = {}  # matrix

    def walk(self, path: str, ours: nn.Module, theirs: nn.Module) -> None:
        """Set the weights of one module and of all inside."""
        if not self._selection.leads_to(path):
            return
        self._look_ahead(path, ours, theirs)
        if isinstance(ours, (nn.Conv2d, nn.Linear)):
            self._layer(path, ours, theirs)
            return
        if path and path in self._selection and any(True for _ in ours.parameters()):
            self._check_types(path, ours, theirs)
        self._own_tensors(path, ours, theirs)
        for name, (child, other) in self._pairs(path, ours, theirs).items():
            inner = f'{path}.{name}' if path else name
            if other is None:
                self._additional(inner, child)
            else:
                self.walk(inner, child, other)

    # ------------------------------------------------------------ pairs of modules

    def _pairs(
        self, path: str, ours: nn.Module, theirs: nn.Module
    ) -> dict[str, tuple[nn.Module, nn.Module | None]]:
        """The children of a module, each with the one that it is grown from."""
        children, others = dict(ours.named_children()), dict(theirs.named_children())
        lists = (nn.ModuleList, nn.Sequential)
        if isinstance(ours, lists) and isinstance(theirs, lists) and len(children) > len(others):
            first = 1 if path in self._ups else len(others)
            extra = len(children) - len(others)
            names = list(others)
            order: list[str | None] = [*names[:first], *[None] * extra, *names[first:]]
            return {
                name: (child, None if other is None else others[other])
                for (name, child), other in zip(children.items(), order, strict=True)
            }
        for name in children.keys() ^ others.keys():
            inner = f'{path}.{name}' if path else name
            lone = children.get(name, others.get(name))
            assert lone is not None
            if lone.state_dict() and self._selection.leads_to(inner) and name != 'distill_heads':
                owner = 'student' if name in children else 'source'
                raise _cannot(f'only the {owner} has {inner} ({type(lone).__name__})')
        return {name: (child, others[name]) for name, child in children.items() if name in others}

    def _additional(self, path: str, block: nn.Module) -> None:
        """A block that the source does not have."""
        if path not in self._selection or not block.state_dict():
            return
        values = identity_values(block)
        if values is None:
            raise _cannot(
                f'{path} ({type(block).__name__}) is not in the source, and it cannot begin as the '
                f'identity'
            )
        self._set({f'{path}.{name}': value.cpu() for name, value in values.items()})

    @staticmethod
    def _check_types(path: str, ours: nn.Module, theirs: nn.Module) -> None:
        same = type(ours).__name__ == type(theirs).__name__
        if not same and not all(isinstance(each, _BatchNorm) for each in (ours, theirs)):
            raise _cannot(
                f'{path} is a {type(ours).__name__} in the student and a {type(theirs).__name__} '
                f'in the source'
            )

    # ---------------------------------------------- what only the owner of a layer knows

    _ups: frozenset[str] = frozenset()

    def _look_ahead(self, path: str, ours: Any, theirs: Any) -> None:
        prefix = f'{path}.' if path else ''
        if type(ours).__name__ in UP_BLOCKS:
            self._ups |= {f'{prefix}resnets', f'{prefix}attentions'}
        if hasattr(ours, 'time_proj') and hasattr(ours, 'time_embedding'):
            self._timesteps(prefix, ours, theirs)
        if hasattr(ours, 'roi_feat_area'):
            self._flattened(prefix, ours, theirs)
        if hasattr(ours, 'qkv') and hasattr(ours, 'num_heads'):  # MMPretrain
            heads = theirs.num_heads, ours.num_heads
            width = theirs.embed_dims, ours.embed_dims
            chosen, scale = head_map(heads, width), query_scale(heads, width)
            self._outputs[f'{prefix}qkv'] = (
                torch.cat([chosen + i * width[0] for i in range(3)]),
                torch.cat([scale, scale, torch.ones_like(scale)]),
            )
            self._inputs[f'{prefix}proj'] = chosen
        if hasattr(ours, 'to_q') and hasattr(ours, 'heads'):  # diffusers
            heads = theirs.heads, ours.heads
            width = theirs.to_q.out_features, ours.to_q.out_features
            chosen, scale = head_map(heads, width), query_scale(heads, width)
            for name, factor in (('to_q', scale), ('to_k', scale), ('to_v', None)):
                self._outputs[f'{prefix}{name}'] = chosen, factor
            self._inputs[f'{prefix}to_out.0'] = chosen

    def _timesteps(self, prefix: str, ours: Any, theirs: Any) -> None:
        """The first layer of a U-Net's embedding, which reads sinusoids of the step."""
        if any(each.time_proj.state_dict() for each in (ours, theirs)):
            return  # it has weights, which are duplicated like any others
        steps = torch.arange(self._steps)
        few, many = (each.time_proj(steps).double() for each in (theirs, ours))
        self._embeddings[f'{prefix}time_embedding.linear_1'] = embedding_map(few, many)

    def _flattened(self, prefix: str, ours: Any, theirs: Any) -> None:
        """The linear layers of a box head that read flattened features."""
        area = ours.roi_feat_area
        smaller = dict(theirs.named_modules())
        for name, layer in ours.named_modules():
            other = smaller.get(name)
            if area > 1 and isinstance(layer, nn.Linear) and isinstance(other, nn.Linear):
                few, many = other.in_features, layer.in_features
                if few % area == many % area == 0 and many >= few:
                    self._inputs[prefix + name] = flattened_map(few, many, area)

    # ------------------------------------------------------------------- one layer

    def _layer(self, path: str, ours: Any, theirs: Any) -> None:
        if f'{path}.weight' in self._left_out or path not in self._selection:
            return
        self._check_types(path, ours, theirs)
        weight = theirs.weight.detach().cpu().double()
        shapes = f'{tuple(ours.weight.shape)} in the student, {tuple(weight.shape)} in the source'
        settings = ('kernel_size', 'stride', 'padding', 'dilation', 'padding_mode')
        for name in settings:
            if getattr(ours, name, None) != getattr(theirs, name, None):
                raise _cannot(
                    f'{path}.{name} is {getattr(ours, name)} in the student and '
                    f'{getattr(theirs, name)} in the source'
                )
        depthwise = weight.ndim == 4 and ours.weight.shape[1] == weight.shape[1] == 1
        groups = getattr(ours, 'groups', 1), getattr(theirs, 'groups', 1)
        smaller = any(a < b for a, b in zip(ours.weight.shape, weight.shape, strict=True))
        if smaller or (groups[0] != groups[1] and not depthwise):
            raise _cannot(f'{path}.weight: {shapes}')
        if (ours.bias is None) != (theirs.bias is None):
            raise _cannot(f'only one of both models has {path}.bias')
        plain = channel_map(len(weight), len(ours.weight))
        outputs, factor = self._outputs.get(path, (plain, None))
        weight = weight[outputs]
        if path in self._embeddings:
            weight = weight @ self._embeddings[path].T
        elif weight.shape[1] != ours.weight.shape[1] or path in self._inputs:
            inputs = self._inputs.get(path)
            if inputs is None:
                inputs = channel_map(weight.shape[1], ours.weight.shape[1])
            weight = split_inputs(weight, inputs, self._noise, self._generator)
        bias = None if theirs.bias is None else theirs.bias.detach().cpu().double()[outputs]
        if factor is not None:
            weight = factor[:, None] * weight
            bias = None if bias is None else factor * bias
        self._set({f'{path}.weight': weight})
        if bias is not None:
            self._set({f'{path}.bias': bias})

    def _own_tensors(self, path: str, ours: nn.Module, theirs: nn.Module) -> None:
        """Norms, scales, tokens and position embeddings: duplicated along their channels."""
        smaller = theirs.state_dict()
        for name, value in ours.state_dict().items():
            full = f'{path}.{name}' if path else name
            if '.' in name or full not in self._selection or full in self._left_out:
                continue
            small = smaller.get(name)
            shapes = f'{tuple(value.shape)} in the student, ' + (
                'not in the source' if small is None else f'{tuple(small.shape)} in the source'
            )
            if small is None or small.ndim != value.ndim:
                raise _cannot(f'{full}: {shapes}')
            grown = [d for d in range(value.ndim) if value.shape[d] != small.shape[d]]
            # Of anything else but one row of channels it is not known how its output changes.
            if grown and (grown != [value.ndim - 1] or value.shape[-1] < small.shape[-1]):
                raise _cannot(f'{full}: {shapes}')
            small = small.detach().cpu()
            if grown:
                small = small.index_select(-1, channel_map(small.shape[-1], value.shape[-1]))
            self._set({full: small})

    def _set(self, values: dict[str, Tensor]) -> None:
        self.values |= {k: v for k, v in values.items() if k not in self._left_out}


def _cannot(reason: str) -> W2SError:
    return W2SError(
        f'The model to start from cannot be grown into the student: {reason}. Expected models that '
        f'differ only in width and in the number of residual blocks. Name the parts that do in '
        f"default_hooks.start.parts, or use how='inherit'."
    )
