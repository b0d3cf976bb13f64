import json
import random

import pytest

from w2s_mm.commands.coco_split import coco_split
from w2s_mm.datasets.coco_split import draw_subset
from w2s_mm.utils.errors import W2SError


def instances(images=40):
    """Every fourth image has no annotation, the others have one to three."""
    annotations = []
    for image in range(images):
        for _ in range(image % 4):
            annotations.append(
                {'id': len(annotations), 'image_id': 100 + image, 'category_id': 1, 'bbox': [0] * 4}
            )
    return {
        'info': {'year': 2017},
        'images': [{'id': 100 + i, 'file_name': f'{i}.jpg'} for i in range(images)],
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'a'}, {'id': 7, 'name': 'never seen'}],
    }


@pytest.fixture
def coco(tmp_path):
    folder = tmp_path / 'coco' / 'annotations'
    folder.mkdir(parents=True)
    for split, images in (('train', 40), ('val', 20)):
        (folder / f'instances_{split}2017.json').write_text(json.dumps(instances(images)))
    return folder


def ids(subset):
    return [image['id'] for image in subset['images']]


def test_keeps_whole_images_and_everything_else():
    whole = instances()
    subset = draw_subset(whole, 12, seed=0)
    assert len(ids(subset)) == len(set(ids(subset))) == 12
    assert ids(subset) == sorted(ids(subset))
    assert {a['image_id'] for a in subset['annotations']} == set(ids(subset))
    assert subset['annotations'] == [
        a for a in whole['annotations'] if a['image_id'] in ids(subset)
    ]
    assert subset['categories'] == whole['categories']
    assert subset['info'] == whole['info']
    assert whole == instances()


def test_draw_depends_on_the_ids_and_the_seed_alone():
    shuffled = instances()
    random.Random(1).shuffle(shuffled['images'])
    random.Random(2).shuffle(shuffled['annotations'])
    assert ids(draw_subset(shuffled, 12, seed=0)) == ids(draw_subset(instances(), 12, seed=0))
    assert ids(draw_subset(instances(), 12, seed=1)) != ids(draw_subset(instances(), 12, seed=0))


def test_draw_is_the_same_everywhere():
    assert ids(draw_subset(instances(), 5, seed=0)) == [117, 118, 133, 137, 138]


def test_only_annotated_images():
    assert all(i % 4 for i in ids(draw_subset(instances(), 30, seed=0)))
    with pytest.raises(W2SError, match='is 31; only 30 have annotations'):
        draw_subset(instances(), 31, seed=0)


def test_command_writes_both_splits_and_the_ids(coco, capsys):
    arguments = ['--root', str(coco.parent), '--train', '10', '--val', '5', '--seed', '3']
    coco_split(arguments)
    printed = capsys.readouterr().out
    for name, split, size in (('train5k', 'train', 10), ('val500', 'val', 5)):
        subset = json.loads((coco / f'instances_{name}.json').read_text())
        whole = json.loads((coco / f'instances_{split}2017.json').read_text())
        assert subset == draw_subset(whole, size, 3)
        drawn = json.loads((coco / f'{name}_ids.json').read_text())
        assert drawn == {'seed': 3, 'ids': ids(subset)}
        assert f'instances_{name}.json: {size} images' in printed
    assert printed.count('seed 3') == 2
    before = {path.name: path.read_bytes() for path in coco.iterdir()}
    coco_split(arguments)
    assert {path.name: path.read_bytes() for path in coco.iterdir()} == before


def test_official_file_missing(tmp_path):
    with pytest.raises(W2SError, match=r'instances_train2017\.json not found.*cocodataset'):
        coco_split(['--root', str(tmp_path)])


def test_second_file_missing_leaves_nothing_half_done(coco):
    (coco / 'instances_val2017.json').unlink()
    before = sorted(path.name for path in coco.iterdir())
    with pytest.raises(W2SError, match=r'instances_val2017\.json not found'):
        coco_split(['--root', str(coco.parent), '--train', '10', '--val', '5'])
    assert sorted(path.name for path in coco.iterdir()) == before


def test_damaged_official_file_is_named(coco):
    path = coco / 'instances_train2017.json'
    path.write_text(path.read_text()[:100])
    with pytest.raises(W2SError, match=r'instances_train2017\.json'):
        coco_split(['--root', str(coco.parent), '--train', '10', '--val', '5'])


@pytest.mark.parametrize('size', [0, -1])
def test_size_out_of_range(coco, size):
    with pytest.raises(W2SError, match=str(size)):
        coco_split(['--root', str(coco.parent), '--train', str(size), '--val', '5'])


@pytest.mark.parametrize(
    'content',
    ['[]', '{}', '5', '[' * 200_000, '{"images": [{}], "annotations": [], "categories": []}'],
    ids=lambda text: text[:10],
)
def test_annotations_of_another_structure_are_named(tmp_path, content):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    for split in ('train', 'val'):
        (folder / f'instances_{split}2017.json').write_text(content)
    with pytest.raises(W2SError, match=r'instances_train2017\.json is damaged'):
        coco_split(['--root', str(tmp_path)])
