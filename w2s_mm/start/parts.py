"""Which parts of a model are started from another one, and whether they mean the same there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.settings import differences

ALL = 'all'  # the part that is the whole model
# Convolutions that write the output of a neck, by their name in MMDetection.
NECK_OUTPUTS = ('fpn_convs', 'downsample_convs', 'pafpn_convs', 'out_convs')
HEADS = ('rpn_head', 'roi_head', 'bbox_head')


@dataclass(frozen=True)
class Selection:
    """Parts of a student.

    Attributes:
        parts: Prefixes of names in its state dict, or ``'all'``.
        given: Whether the user named them; then each must be startable.
    """

    parts: tuple[str, ...]
    given: bool

    def __contains__(self, name: str) -> bool:
        """Whether a weight is in one of the parts."""
        return self.part_of(name) is not None

    def part_of(self, name: str) -> str | None:
        """The part that a weight is in."""
        return next((p for p in self.parts if p == ALL or f'{name}.'.startswith(f'{p}.')), None)

    def leads_to(self, path: str) -> bool:
        """Whether a module is in a part, or has one inside."""
        inside = (p == ALL or not path or f'{p}.'.startswith(f'{path}.') for p in self.parts)
        return path in self or any(inside)


def select(student: nn.Module, how: str, parts: Sequence[str] | None) -> Selection:
    """The parts named, or the default ones of the student's family.

    By default ``'inherit'`` takes the outputs of a detector's neck and its heads, which have equal
    shapes for any two backbones, and all of any other model. ``'grow'`` takes everything.

    Args:
        student: The model.
        how: ``'inherit'`` or ``'grow'``.
        parts: Prefixes of names in its state dict, or ``['all']``; None: the default.

    Raises:
        W2SError: The student has no such part.
    """
    if parts is None:
        return Selection(tuple(_default(student) if how == 'inherit' else [ALL]), given=False)
    names = list(student.state_dict())
    for part in parts:
        if part != ALL and not any(f'{name}.'.startswith(f'{part}.') for name in names):
            inside = ', '.join(dict.fromkeys(name.split('.')[0] for name in names))
            raise W2SError(
                f'default_hooks.start.parts names {part!r}, and the {type(student).__name__} has '
                f"no weight of that name. Expected 'all', or the beginning of names such as "
                f'{names[0]} (it has {inside}).'
            )
    return Selection(tuple(parts), given=True)


def _default(student: nn.Module) -> list[str]:
    heads = [name for name in HEADS if isinstance(getattr(student, name, None), nn.Module)]
    if not heads:
        return [ALL]
    neck = getattr(student, 'neck', None)
    outputs = [f'neck.{name}' for name in NECK_OUTPUTS if hasattr(neck, name)]
    whole = ['neck'] if neck is not None and not outputs else []
    return [*outputs, *whole, *heads]


def check_geometry(student: nn.Module, source: nn.Module, selection: Selection) -> None:
    """Check that the boxes of a head mean the same in both models.

    Raises:
        W2SError: A selected head has other anchors, points or box coders.
    """
    heads = dict(source.named_modules())
    for path, ours in student.named_modules():
        theirs = heads.get(path)
        if theirs is None or not any(f'{path}.{name}' in selection for name in ours.state_dict()):
            continue
        for what in ('prior_generator', 'bbox_coder'):
            one, other = getattr(ours, what, None), getattr(theirs, what, None)
            if one is None or other is None:
                continue
            found = list(differences(_described(one), _described(other)))
            if found:
                found.sort(key=lambda each: len(each[1] or '') + len(each[2] or ''))
                shown = '; '.join(
                    f'{name}: {a} in the student, {b} in the source' for name, a, b in found[:2]
                )
                raise W2SError(
                    f'{path}.{what} differs from that of the model to start from ({shown}): its '
                    f'weights would predict other boxes. Use the same settings in both configs, '
                    f'or leave {path.split(".")[0]} out of default_hooks.start.parts.'
                )


def _described(thing: Any) -> dict[str, str]:
    settings = {
        name: str(_plain(value))
        for name, value in vars(thing).items()
        if not name.startswith('_') and not callable(value)
    }
    return {'type': type(thing).__name__, **settings}


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):  # a tensor or an array
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
