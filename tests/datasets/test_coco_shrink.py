"""A small copy of COCO from made-up photographs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from w2s_mm.commands.coco_split import coco_split
from w2s_mm.datasets.coco_shrink import write_small_coco
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def coco(tmp_path):
    """Six photographs of two shapes in each split, with one box each."""
    root = tmp_path / 'coco'
    (root / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        folder = root / f'{split}2017'
        folder.mkdir()
        images, annotations = [], []
        for index in range(6):
            width, height = ((640, 480), (100, 60))[index % 2]
            name = f'{split}{index}.jpg'
            Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(folder / name)
            images.append({'id': index, 'file_name': name, 'width': width, 'height': height})
            annotations.append(
                {
                    'id': index,
                    'image_id': index,
                    'category_id': 1,
                    'iscrowd': 0,
                    'bbox': [10, 20, 30, 40],
                    'area': 1200,
                    'segmentation': [[0, 0, 1, 1]],
                }
            )
        told = {'images': images, 'annotations': annotations, 'categories': [{'id': 1}]}
        (root / 'annotations' / f'instances_{split}2017.json').write_text(json.dumps(told))
    return root


def small(coco, **options):
    instances = json.loads((coco / 'annotations' / 'instances_train2017.json').read_text())
    options = {'count': 6, 'long_side': 320, **options}
    return write_small_coco(instances, coco / 'train2017', coco / 'out', 'train', **options)


def test_images_and_boxes_shrink_alike_and_small_images_stay(coco):
    written = small(coco)
    assert json.loads((coco / 'out' / 'instances_train.json').read_text()) == written
    sizes = {image['id']: (image['width'], image['height']) for image in written['images']}
    assert sizes[0] == (320, 240) and sizes[1] == (100, 60)
    for image in written['images']:
        with Image.open(coco / 'out' / 'images' / image['file_name']) as opened:
            assert opened.size == sizes[image['id']]
    boxes = {each['image_id']: (each['bbox'], each['area']) for each in written['annotations']}
    assert boxes[0] == ([5, 10, 15, 20], 300) and boxes[1] == ([10, 20, 30, 40], 1200)
    assert all('segmentation' not in each for each in written['annotations'])


def test_an_interrupted_call_continues(coco):
    small(coco)
    kept = coco / 'out' / 'images' / 'train0.jpg'
    kept.write_bytes(b'as it was')
    (coco / 'out' / 'images' / 'train1.jpg').unlink()
    small(coco)
    assert kept.read_bytes() == b'as it was'
    assert (coco / 'out' / 'images' / 'train1.jpg').is_file()


def test_a_photograph_that_is_not_there_is_named(coco):
    (coco / 'train2017' / 'train3.jpg').unlink()
    with pytest.raises(W2SError, match=r'train3\.jpg not found\. Unpack train2017\.zip'):
        small(coco)
    assert not (coco / 'out' / 'instances_train.json').exists()


def test_too_small_is_refused(coco):
    with pytest.raises(W2SError, match='long side is 8 px'):
        small(coco, long_side=8)


def test_the_command_writes_both_splits_into_one_folder(coco, capsys):
    out = coco / 'small'
    coco_split(['--root', str(coco), '--out', str(out), '--train', '4', '--val', '2'])
    assert sorted(path.name for path in out.iterdir()) == [
        'images',
        'instances_train.json',
        'instances_val.json',
    ]
    assert len(list((out / 'images').iterdir())) == 6
    printed = capsys.readouterr()
    assert '4 train images' in printed.out and 'train images: 4 of 4 written' in printed.err


def test_the_command_keeps_the_classes_that_are_named(coco, capsys):
    for split in ('train', 'val'):
        path = coco / 'annotations' / f'instances_{split}2017.json'
        told = json.loads(path.read_text())
        told['categories'] = [{'id': 1, 'name': 'person'}, {'id': 2, 'name': 'cat'}]
        told['annotations'][0]['category_id'] = 2
        path.write_text(json.dumps(told))
    out = coco / 'small'
    options = ['--classes', 'person', '--smallest', '0.1', '--train', '3', '--val', '1']
    coco_split(['--root', str(coco), '--out', str(out), *options])
    written = json.loads((out / 'instances_train.json').read_text())
    # Of 640 px, 40 px are shorter than a tenth: only images of 100 px are left.
    assert {image['id'] for image in written['images']} == {1, 3, 5}
    assert [each['name'] for each in written['categories']] == ['person']


def test_classes_without_a_folder_are_refused(coco):
    with pytest.raises(W2SError, match='--classes needs --out'):
        coco_split(['--root', str(coco), '--classes', 'person'])
