import json
import subprocess
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO

from w2s_mm.datasets import CLASSES, digit_scenes, digit_scenes_figure, write_digit_scenes
from w2s_mm.datasets.digit_scenes import FRINGE, MAX_OVERLAP, VISIBLE, compose_scene, load_source


@pytest.fixture(scope='module')
def sources():
    return {split: load_source(split) for split in ('train', 'val')}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'digit_scenes'
    assert write_digit_scenes(root, num_train=6, num_val=4)
    return root


def contents(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob('*') if p.is_file()}


def test_importing_needs_neither_torch_nor_scikit_learn():
    code = 'import sys, w2s_mm.datasets; assert not {"torch", "sklearn"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(written, tmp_path):
    write_digit_scenes(tmp_path / 'same', num_train=6, num_val=4)
    write_digit_scenes(tmp_path / 'other', num_train=6, num_val=4, seed=1)
    assert contents(tmp_path / 'same') == contents(written)
    assert contents(tmp_path / 'other').keys() == contents(written).keys()
    assert contents(tmp_path / 'other') != contents(written)


def test_a_larger_set_begins_with_the_smaller_one(written, tmp_path):
    write_digit_scenes(tmp_path / 'larger', num_train=9, num_val=5)
    small, large = contents(written), contents(tmp_path / 'larger')
    images = [path for path in small if path.suffix == '.jpg']
    assert len(images) == 10
    assert all(small[path] == large[path] for path in images)
    few, many = (
        json.loads((root / 'annotations/train.json').read_text())['annotations']
        for root in (written, tmp_path / 'larger')
    )
    assert many[: len(few)] == few


def test_train_and_val_share_no_glyph_and_no_background(sources):
    train, val = sources['train'], sources['val']
    glyphs = [{glyph.tobytes() for glyph in source.glyphs} for source in (train, val)]
    assert len(train.glyphs) == 1400 and len(val.glyphs) == 397
    assert not glyphs[0] & glyphs[1]
    for left, right in zip(train.photos, val.photos, strict=True):
        assert left.shape[1] + right.shape[1] == 640
    assert set(train.labels) == set(val.labels) == set(range(10))


@pytest.mark.parametrize('size', [64, 128, 200])
def test_boxes_lie_inside_and_hardly_overlap(sources, size):
    for index in range(30):
        scene = compose_scene(sources['train'], 'train', index, size, seed=3)
        assert scene.image.shape == (size, size, 3) and scene.image.dtype == np.uint8
        assert 1 <= len(scene.boxes) == len(scene.labels) <= 3
        for i, (x, y, w, h) in enumerate(scene.boxes):
            assert x >= 0 and y >= 0 and w > 0 and h > 0
            assert x + w <= size and y + h <= size
            for box in scene.boxes[:i]:
                assert digit_scenes.overlap((x, y, w, h), tuple(box)) <= MAX_OVERLAP


def test_boxes_are_tight_around_the_pixels_that_changed(sources):
    for index in range(20):
        rng = np.random.default_rng(index)
        background = np.full((64, 64, 3), 128, np.float32)
        scene = digit_scenes.paste_digits(rng, background, sources['val'])
        changed = np.abs(scene.image.astype(float) - 128).max(axis=2)
        near = np.zeros((64, 64), bool)
        for x, y, w, h in scene.boxes:
            near[y - FRINGE : y + h + FRINGE, x - FRINGE : x + w + FRINGE] = True
            inside = changed[y : y + h, x : x + w]
            # A visible pixel has at least a quarter of a colour that is 70 away: 10 in one channel.
            edges = inside[0], inside[-1], inside[:, 0], inside[:, -1]
            assert all(edge.max() >= 10 for edge in edges)
        assert not changed[~near].any()


def test_nothing_visible_lies_outside_the_box_of_a_glyph(sources):
    for glyph in sources['val'].glyphs[:50]:
        for height in (12, 19, 28):
            visible = digit_scenes.soft_mask(glyph, height) >= VISIBLE
            rows, columns = (np.flatnonzero(visible.any(axis=axis)) for axis in (1, 0))
            assert (rows[0], columns[0]) == (FRINGE, FRINGE)
            assert (rows[-1] + 1 + FRINGE, columns[-1] + 1 + FRINGE) == visible.shape


def test_pycocotools_reads_the_annotations(written):
    for split, number in (('train', 6), ('val', 4)):
        coco = COCO(str(written / 'annotations' / f'{split}.json'))
        assert len(coco.getImgIds()) == number
        assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == list(CLASSES)
        assert coco.getCatIds() == list(range(1, 11))
        for image in coco.loadImgs(coco.getImgIds()):
            assert (written / split / image['file_name']).is_file()
            assert coco.getAnnIds(imgIds=image['id'])


def test_masks_are_the_visible_pixels_and_fill_their_boxes(written):
    coco = COCO(str(written / 'annotations/val.json'))
    source = load_source('val')
    for image in coco.loadImgs(coco.getImgIds()):
        scene = compose_scene(source, 'val', image['id'] - 1, 64, seed=0)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image['id']))
        for annotation, drawn in zip(annotations, scene.masks, strict=True):
            mask = coco.annToMask(annotation).astype(bool)
            assert np.array_equal(mask, drawn)
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            x, y, w, h = annotation['bbox']
            assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (y, y + h, x, x + w)


def test_the_same_set_is_left_alone(written):
    before = contents(written)
    assert not write_digit_scenes(written, num_train=6, num_val=4)
    assert contents(written) == before


def test_another_set_is_refused_unless_forced(tmp_path):
    root = tmp_path / 'scenes'
    write_digit_scenes(root, num_train=2, num_val=1)
    with pytest.raises(FileExistsError, match=r'num_val=1; requested: num_val=2.*--force'):
        write_digit_scenes(root, num_train=2, num_val=2)
    assert write_digit_scenes(root, num_train=2, num_val=2, force=True)
    assert len(list((root / 'val').iterdir())) == 2
    assert [p.name for p in tmp_path.iterdir()] == ['scenes']


def test_files_of_someone_else_are_never_replaced(tmp_path):
    (tmp_path / 'thesis.tex').write_text('mine')
    with pytest.raises(FileExistsError, match=r'not deleted\. Choose another --root'):
        write_digit_scenes(tmp_path, num_train=1, num_val=1, force=True)
    assert (tmp_path / 'thesis.tex').read_text() == 'mine'


def test_an_interrupted_run_leaves_nothing_and_keeps_what_was_there(tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    root = tmp_path / 'scenes'
    with pytest.raises(KeyboardInterrupt):
        write_digit_scenes(root, num_train=3, num_val=1, progress=interrupt)
    assert not list(tmp_path.iterdir())

    write_digit_scenes(root, num_train=1, num_val=1)
    before = contents(root)
    with pytest.raises(KeyboardInterrupt):
        write_digit_scenes(root, num_train=3, num_val=1, force=True, progress=interrupt)
    assert contents(root) == before
    assert [p.name for p in tmp_path.iterdir()] == ['scenes']


@pytest.mark.parametrize('wrong', [{'num_train': 0}, {'num_val': -1}, {'size': 32}, {'seed': -1}])
def test_parameters_out_of_range_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))} is .* expected'):
        write_digit_scenes(tmp_path / 'scenes', **wrong)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(ModuleNotFoundError, match='pip install scikit-learn pillow'):
        load_source('train')


def test_figure_is_small_enough_for_a_readme(written, tmp_path):
    digit_scenes_figure(written, tmp_path / 'docs' / 'scenes.png', columns=2, rows=2)
    assert 0 < (tmp_path / 'docs' / 'scenes.png').stat().st_size < 300_000
