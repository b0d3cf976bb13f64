"""Some classes of COCO, without their small objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.shapes import COUNT, NUMBER, misfit

_SHAPE = {
    'images': [{'id': COUNT, 'width': COUNT, 'height': COUNT}],
    'annotations': [{'image_id': COUNT, 'category_id': COUNT, 'bbox': [NUMBER], 'iscrowd?': COUNT}],
    'categories': [{'id': COUNT, 'name': str}],
}


def select_objects(
    instances: dict[str, Any], classes: Sequence[str], smallest: float = 0.0
) -> dict[str, Any]:
    """Keep the objects of some classes, and the annotations of images that show one.

    Smaller objects are marked as crowds, so that training and evaluation ignore them: a detector
    that finds them is neither rewarded nor punished.

    Args:
        instances: A COCO instances dict.
        classes: Names of the classes to keep.
        smallest: Longer side of the smallest object, as a fraction of the image's longer side.

    Returns:
        A COCO instances dict with all images.

    Raises:
        W2SError: A class is unknown, or the file is damaged.
    """
    checks.number('The smallest object', smallest, least=0, most=1)
    if problem := misfit(instances, _SHAPE):
        raise W2SError(f'The annotations are damaged: {problem}. Unpack them again.')
    kept = [each for each in instances['categories'] if each['name'] in classes]
    unknown = sorted({*classes} - {each['name'] for each in kept})
    if unknown:
        known = ', '.join(each['name'] for each in instances['categories'][:100])
        raise W2SError(f'There is no class {", ".join(unknown)}. Expected some of: {known}.')
    ids = {each['id'] for each in kept}
    longest = {image['id']: max(image['width'], image['height']) for image in instances['images']}
    chosen = [
        _ignored_if_small(each, smallest * longest.get(each['image_id'], 0))
        for each in instances['annotations']
        if each['category_id'] in ids
    ]
    shown = {each['image_id'] for each in chosen if not each.get('iscrowd')}
    return {
        **instances,
        'annotations': [each for each in chosen if each['image_id'] in shown],
        'categories': kept,
    }


def _ignored_if_small(annotation: dict[str, Any], smallest: float) -> dict[str, Any]:
    small = max(annotation['bbox'][2:], default=0) < smallest
    return {**annotation, 'iscrowd': 1} if small else annotation
