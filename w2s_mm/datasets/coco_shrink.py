"""A small copy of COCO: fewer and smaller photographs, for trainings without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json

from .coco_split import draw_subset
from .digit_scenes import pillow

QUALITY = 90  # of the JPEG files


def write_small_coco(
    instances: dict[str, Any],
    images: Path,
    out: Path,
    split: str,
    count: int,
    long_side: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write ``out/images/*.jpg`` and ``out/instances_<split>.json``.

    An image that is already there is kept, so that an interrupted call continues.

    Args:
        instances: A COCO instances dict.
        images: Folder of its images.
        out: Folder to write to; created if missing.
        split: Name of the annotation file.
        count: Number of images to draw; see :func:`~w2s_mm.datasets.coco_split.draw_subset`.
        long_side: Longest side of an image in pixels; smaller images are not enlarged.
        seed: Seed of the draw.
        progress: Called with the number of images done and the total.

    Returns:
        The annotations written.

    Raises:
        W2SError: ``long_side`` is too small, or an image is missing.
    """
    if long_side < 32:
        raise W2SError(f'The long side is {long_side} px; expected at least 32.')
    drawn = draw_subset(instances, count, seed)
    folder = out / 'images'
    folder.mkdir(parents=True, exist_ok=True)
    scales = {}
    kept = []
    for number, image in enumerate(drawn['images'], start=1):
        scale = min(1.0, long_side / max(image['width'], image['height']))
        size = tuple(max(1, round(scale * image[side])) for side in ('width', 'height'))
        target = folder / image['file_name']
        if not target.is_file():
            _shrink(images / image['file_name'], target, size)
        scales[image['id']] = scale
        kept.append({**image, 'width': size[0], 'height': size[1]})
        if progress:
            progress(number, len(drawn['images']))
    annotations = [_scaled(each, scales[each['image_id']]) for each in drawn['annotations']]
    small = {**drawn, 'images': kept, 'annotations': annotations}
    write_json(out / f'instances_{split}.json', small)
    return small


def _shrink(source: Path, target: Path, size: tuple[int, ...]) -> None:
    Image = pillow()
    try:
        with Image.open(source) as image:
            small = image.convert('RGB').resize(size, Image.LANCZOS)
    except FileNotFoundError as error:
        raise W2SError(
            f'{source} not found. Unpack train2017.zip and val2017.zip from cocodataset.org beside '
            f'the annotations, or set --root.'
        ) from error
    temporary = target.with_name(f'.{target.name}')
    small.save(temporary, format='JPEG', quality=QUALITY)
    temporary.replace(target)


def _scaled(annotation: dict[str, Any], scale: float) -> dict[str, Any]:
    """An annotation on the smaller image. Masks are left out."""
    kept = {key: value for key, value in annotation.items() if key != 'segmentation'}
    return {
        **kept,
        'bbox': [round(scale * value, 2) for value in annotation['bbox']],
        'area': round(scale**2 * annotation['area'], 2),
    }
