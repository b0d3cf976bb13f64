"""COCO annotation files with broken content, as this package's commands read them."""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from w2s_mm.commands.preflight import check_data
from w2s_mm.datasets.coco_split import make_split

from .cases import Case
from .run_files import mutated

CLASSES = ('cat', 'dog')


def instances(count: int = 6) -> dict[str, Any]:
    """A sound file."""
    return {
        'images': [
            {'id': i, 'file_name': f'{i}.jpg', 'width': 64, 'height': 48} for i in range(1, count)
        ],
        'annotations': [
            {'id': i, 'image_id': i % (count - 1) + 1, 'category_id': i % 2 + 1, 'iscrowd': 0,
             'bbox': [1.0, 2.0, 10.0, 20.0], 'area': 200.0}
            for i in range(1, 2 * count)
        ],
        'categories': [{'id': i + 1, 'name': name} for i, name in enumerate(CLASSES)],
    }  # fmt: skip


BOXES: tuple[Any, ...] = (
    [], [1], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, -3, 4], [1, 2, 0, 4], [1, 2, 0, 0], None, 'box',
    [1, 2, float('nan'), 4], [float('inf'), 0, 1, 1], [1e30, 1e30, 1, 1], [-500, -500, 10, 10],
    ['1', '2', '3', '4'], [None] * 4, [[1, 2, 3, 4]], {'x': 1}, [True] * 4, [900, 900, 5, 5], 5,
)  # fmt: skip


def config(folder: Path) -> Config:
    """A detection config whose data sets are the files."""
    dataset = {
        'type': 'mmdet.CocoDataset', 'metainfo': {'classes': CLASSES}, 'data_root': str(folder),
        'ann_file': 'annotations/instances_val2017.json', 'data_prefix': {'img': ''},
    }  # fmt: skip
    return Config({'val_dataloader': {'dataset': dataset}, 'default_scope': 'mmdet'})


def _use(folder: Path) -> None:
    check_data(config(folder), ('val',))
    with contextlib.redirect_stdout(io.StringIO()):
        make_split(folder, train=2, val=2, seed=0)


def case(kind: str, label: str, make: Callable[[], bytes]) -> Case:
    """A case of an annotation file with these bytes."""

    def written(folder: Path) -> Callable[[], None]:
        (folder / 'annotations').mkdir()
        raw = make()
        for split in ('train', 'val'):
            (folder / 'annotations' / f'instances_{split}2017.json').write_bytes(raw)
        return partial(_use, folder)

    return Case(f'COCO: {kind}', label, written, 'instances_')


def all_cases(seed: int, scale: float = 1.0) -> Iterator[Case]:
    """All cases of annotation files."""
    whole = json.dumps(instances()).encode()
    for index, box in enumerate(BOXES):
        for which in (0, 3, 'all'):

            def boxed(box: Any = box, which: Any = which) -> bytes:
                content = instances()
                for number, annotation in enumerate(content['annotations']):
                    if which in (number, 'all'):
                        annotation['bbox'] = box
                return json.dumps(content).encode()

            yield case('broken box', f'{index} {box} {which}', boxed)
    for index in range(round(500 * scale)):

        def wrong(index: int = index) -> bytes:
            rng = random.Random(f'{seed} coco {index}')
            return json.dumps(mutated(instances(), rng)).encode()

        def cut(index: int = index) -> bytes:
            return whole[: random.Random(f'{seed} coco cut {index}').randrange(len(whole))]

        def flip(index: int = index) -> bytes:
            rng, content = random.Random(f'{seed} coco flip {index}'), bytearray(whole)
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(content)

        yield case('wrong type', f'{index}', wrong)
        yield case('bits flipped', f'{index}', flip)
        if index % 2:
            yield case('truncated', f'{index}', cut)
    special: dict[str, Callable[[], Any]] = {
        'no images': lambda: {**instances(), 'images': []},
        'no annotations': lambda: {**instances(), 'annotations': []},
        'no categories': lambda: {**instances(), 'categories': []},
        'empty': dict,
        'a list': lambda: [instances()],
        'ids twice': lambda: {**instances(), 'images': instances()['images'] * 2},
        'annotation ids twice': lambda: {
            **instances(), 'annotations': instances()['annotations'] * 2
        },
        'categories twice': lambda: {**instances(), 'categories': instances()['categories'] * 2},
        'other categories': lambda: {**instances(), 'categories': [{'id': 1, 'name': 'horse'}]},
        'categories swapped': lambda: {
            **instances(), 'categories': instances()['categories'][::-1]
        },
        'unknown category': lambda: {
            **instances(),
            'annotations': [{**a, 'category_id': 77} for a in instances()['annotations']],
        },
        'unknown image': lambda: {
            **instances(),
            'annotations': [{**a, 'image_id': 77} for a in instances()['annotations']],
        },
        'images only': lambda: {'images': instances()['images']},
        'large': lambda: instances(3000),
        'a caption file': lambda: {
            **instances(), 'annotations': [{'id': 1, 'image_id': 1, 'caption': 'a cat'}]
        },
    }  # fmt: skip
    for label, content in special.items():
        yield case('other content', label, lambda content=content: json.dumps(content()).encode())
    for label, raw in (('deep', b'[' * 200_000), ('zeros', bytes(1000)), ('UTF-16', b'\xff\xfe{')):
        yield case('other content', label, partial(bytes, raw))
