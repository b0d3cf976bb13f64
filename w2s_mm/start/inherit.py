"""Inherit: copy the tensors of equal name and shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from w2s_mm.utils.errors import W2SError

from .parts import Selection


def inherit(
    ours: Mapping[str, Tensor],
    theirs: Mapping[str, Tensor],
    selection: Selection,
    left_out: Collection[str] = (),
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors that a student takes over, buffers of its norms included.

    A layer is taken over as a whole or not at all.

    FGD (github.com/yzd-v/FGD, ``init_student``) starts the neck and the head of a detector so.

    Args:
        ours: State dict of the student.
        theirs: State dict of the model to start from.
        selection: Parts of the student.
        left_out: Names that are not copied.

    Returns:
        The new values, and one line for each tensor that does not fit, with both shapes.

    Raises:
        W2SError: Nothing can be copied, or nothing of a part that the user named.
    """
    wanted = [name for name in ours if name in selection and name not in left_out]
    unfit = {
        name: f'{name}: {tuple(ours[name].shape)} in the student, '
        + (f'{tuple(theirs[name].shape)} in the source' if name in theirs else 'not in the source')
        for name in wanted
        if name not in theirs or theirs[name].shape != ours[name].shape
    }
    broken = {_layer(name) for name in unfit}  # a bias without its weight means nothing
    values = {name: theirs[name] for name in wanted if _layer(name) not in broken}
    served = {selection.part_of(name) for name in values}
    lacking = [part for part in selection.parts if part not in served]
    if lacking and (selection.given or not values):
        lines = [text for name, text in unfit.items() if selection.part_of(name) in lacking]
        raise W2SError(
            f'Nothing of {", ".join(lacking)} can be inherited, because no tensor has the same '
            f'name and shape in both models. {"; ".join(lines[:4])}. Choose other '
            f"default_hooks.start.parts, or how='grow' if the models differ only in width and "
            f'depth.'
        )
    return values, list(unfit.values())


def _layer(name: str) -> str:
    return name.rpartition('.')[0]
