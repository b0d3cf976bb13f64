"""Some classes of COCO, from a made-up file."""

from __future__ import annotations

import pytest

from w2s_mm.datasets.coco_objects import select_objects
from w2s_mm.utils.errors import W2SError


def instances():
    def box(image, category, width, height, crowd=0):
        return {
            'image_id': image,
            'category_id': category,
            'bbox': [0, 0, width, height],
            'iscrowd': crowd,
        }

    return {
        'images': [{'id': i, 'width': 200, 'height': 100} for i in range(1, 5)],
        'annotations': [
            box(1, 1, 10, 60),
            box(1, 1, 49, 10),  # shorter than a quarter of 200
            box(1, 2, 90, 90),
            box(2, 2, 90, 90),
            box(3, 1, 10, 10),
            box(4, 1, 90, 90, crowd=1),
        ],
        'categories': [{'id': 1, 'name': 'person'}, {'id': 2, 'name': 'cat'}],
    }


def test_other_classes_and_images_without_an_object_lose_their_annotations():
    found = select_objects(instances(), ['person'])
    assert [each['image_id'] for each in found['annotations']] == [1, 1, 3]
    assert found['categories'] == [{'id': 1, 'name': 'person'}]


def test_small_objects_are_ignored_where_there_is_a_large_one():
    found = select_objects(instances(), ['person'], smallest=0.25)
    assert [(each['image_id'], each['iscrowd']) for each in found['annotations']] == [
        (1, 0),
        (1, 1),
    ]


def test_nothing_is_ignored_by_default():
    found = select_objects(instances(), ['person', 'cat'])
    assert [each['iscrowd'] for each in found['annotations']] == [0, 0, 0, 0, 0]


def test_the_source_stays_as_it_is():
    source = instances()
    select_objects(source, ['person'], smallest=1)
    assert source == instances()


def test_unknown_classes_are_named():
    with pytest.raises(W2SError, match=r'no class dog, horse\. Expected some of: person, cat'):
        select_objects(instances(), ['horse', 'cat', 'dog'])


@pytest.mark.parametrize('smallest', [-0.1, 1.5, float('nan'), '1'])
def test_a_part_out_of_range_is_refused(smallest):
    with pytest.raises(W2SError, match='smallest object'):
        select_objects(instances(), ['cat'], smallest)


def test_damage_is_named():
    damaged = instances()
    del damaged['annotations'][2]['bbox']
    with pytest.raises(W2SError, match=r'annotations\[2\]\.bbox is missing'):
        select_objects(damaged, ['cat'])
