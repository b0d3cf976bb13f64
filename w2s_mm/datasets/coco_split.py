"""Draw a random, reproducible subset of COCO."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.shapes import COUNT, misfit

_SPLITS = ('train', 'val')
_SHAPE = {'images': [{'id': COUNT}], 'annotations': [{'image_id': COUNT}], 'categories': list}


def draw_subset(instances: dict[str, Any], size: int, seed: int) -> dict[str, Any]:
    """Draw ``size`` images of a COCO dict, with their annotations and all categories.

    Only images with at least one annotation are drawn. The draw depends only on the image ids and
    the seed, not on the order in the file.

    Args:
        instances: A COCO instances dict.
        size: Number of images to keep.
        seed: Seed of the draw.

    Returns:
        A COCO instances dict, with images sorted by id.

    Raises:
        W2SError: There are fewer annotated images than ``size``.
    """
    checks.whole_number('The number of images (size)', size)
    checks.whole_number('seed', seed, least=0, most=checks.SEEDS)
    annotated = sorted({annotation['image_id'] for annotation in instances['annotations']})
    if len(annotated) < size:
        raise W2SError(
            f'The number of images (size) is {size}; only {len(annotated)} have annotations. '
            f'Expected the instances_*.json of COCO, or a smaller number.'
        )
    kept = set(random.Random(seed).sample(annotated, size))
    images = [image for image in instances['images'] if image['id'] in kept]
    return {
        **instances,
        'images': sorted(images, key=lambda image: image['id']),
        'annotations': [a for a in instances['annotations'] if a['image_id'] in kept],
    }


def make_split(root: Path, train: int, val: int, seed: int) -> None:
    """Write ``instances_train5k.json``, ``instances_val500.json`` and the drawn image ids.

    Raises:
        W2SError: An official annotation file is missing or damaged.
    """
    sources = official_annotations(root)
    for split, size, name in (('train', train, 'train5k'), ('val', val, 'val500')):
        source = sources[split]
        instances = read_instances(source)
        subset = draw_subset(instances, size, seed)
        target = source.with_name(f'instances_{name}.json')
        write_json(target, subset)
        ids = target.with_name(f'{name}_ids.json')
        write_json(ids, {'seed': seed, 'ids': [image['id'] for image in subset['images']]})
        print(
            f'{target}: {len(subset["images"])} images, {len(subset["annotations"])} boxes, '
            f'seed {seed}; ids in {ids}'
        )


def official_annotations(root: Path) -> dict[str, Path]:
    """The annotation files of COCO 2017 by split.

    Raises:
        W2SError: One is missing.
    """
    sources = {split: root / 'annotations' / f'instances_{split}2017.json' for split in _SPLITS}
    for source in sources.values():
        if not source.is_file():
            raise W2SError(
                f'{source} not found. Download annotations_trainval2017.zip from cocodataset.org '
                f'and unpack it in {root}, or set --root.'
            )
    return sources


def read_instances(source: Path) -> dict[str, Any]:
    """Read an annotation file.

    Raises:
        W2SError: It is damaged.
    """
    print(f'Reading {source}', flush=True)
    try:
        instances = json.loads(source.read_text())
        if problem := misfit(instances, _SHAPE):
            raise ValueError(problem)
    except (ValueError, RecursionError) as error:
        raise W2SError(
            f'{source} is damaged ({str(error)[:200]}). Unpack annotations_trainval2017.zip again.'
        ) from error
    return instances
