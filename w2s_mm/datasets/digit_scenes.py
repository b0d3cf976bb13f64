"""Digit scenes: a small detection set of real pixels that needs no download.

Handwritten digits (the 8x8 scans of scikit-learn's ``load_digits``) are pasted in random colours,
sizes and positions on crops of scikit-learn's two bundled photographs. Training and validation
scenes share no glyphs and no background pixels.

Files, readable by MMDetection's ``CocoDataset``::

    <root>/train/000000.jpg ...      <root>/annotations/train.json
    <root>/val/000000.jpg ...        <root>/annotations/val.json
    <root>/manifest.json
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2s_mm.utils import checks

CLASSES = tuple('0123456789')

FORMAT = 3  # Increase when the same parameters give different scenes or annotations.
SPLITS = ('train', 'val')
NUM_TRAIN_GLYPHS = 1400  # The first of 1,797 in load_digits; the rest is for validation.
MAX_DIGITS = 3
HEIGHTS = (3 / 16, 7 / 16)  # Glyph height as a fraction of the scene: 12 to 28 of 64 px.
MAX_OVERLAP = 0.1  # Intersection of two boxes over the smaller one.
MIN_CONTRAST = 70  # RGB distance between a digit and its background.
VISIBLE = 0.25  # Minimum opacity of a pixel that belongs to a digit.
FRINGE = 2  # Width in pixels of the digit's soft edge around its box.


class Source(NamedTuple):
    """Glyphs and photographs of one split."""

    glyphs: np.ndarray  # (G, 8, 8), float32 in 0..1
    labels: np.ndarray  # (G,), 0..9
    photos: tuple[np.ndarray, ...]  # each (H, W, 3), uint8


class Scene(NamedTuple):
    """One scene with its annotations.

    Image (S, S, 3) uint8; boxes (R, 4) as x, y, w, h in pixels; labels (R,); masks (R, S, S) bool,
    the visible pixels of each digit.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


def write_digit_scenes(
    root: str | os.PathLike[str],
    num_train: int = 1000,
    num_val: int = 500,
    size: int = 64,
    seed: int = 0,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Write the data set, unless it already exists with the same parameters.

    ``root`` is created atomically, so an interrupted call leaves no partial data set. Scene ``i``
    of a split depends only on ``seed``, ``size`` and ``i``, so a larger data set starts with the
    scenes of a smaller one.

    Args:
        root: Directory of the data set; created if missing.
        num_train: Number of training scenes.
        num_val: Number of validation scenes.
        size: Width and height of a scene in pixels.
        seed: Random seed.
        force: Replace digit scenes with other parameters. Other files are never deleted.
        progress: Called as ``progress(done, total)`` after each scene.

    Returns:
        True if it was written, False if it already existed.

    Raises:
        W2SError: A parameter is out of range.
        FileExistsError: ``root`` contains something else.
        ModuleNotFoundError: scikit-learn, Pillow or pycocotools is missing.
    """
    for name, value, least, most in (
        ('num_train', num_train, 1, checks.MOST),
        ('num_val', num_val, 1, checks.MOST),
        ('size', size, 64, 4096),
        ('seed', seed, 0, checks.SEEDS),
    ):
        checks.whole_number(f'digit scenes: {name}', value, least, most)

    root = Path(root)
    manifest = {
        'dataset': 'digit_scenes',
        'format': FORMAT,
        'num_train': num_train,
        'num_val': num_val,
        'size': size,
        'seed': seed,
    }
    if _already_written(root, manifest, force):
        return False

    root.parent.mkdir(parents=True, exist_ok=True)
    staged = root.with_name(f'.{root.name}.{os.getpid()}.tmp')
    retired = root.with_name(f'.{root.name}.{os.getpid()}.old')
    shutil.rmtree(staged, ignore_errors=True)
    try:
        (staged / 'annotations').mkdir(parents=True)
        done, total = 0, num_train + num_val
        for split, num_scenes in zip(SPLITS, (num_train, num_val), strict=True):
            for _ in _write_split(staged, split, num_scenes, size, seed):
                done += 1
                if progress is not None:
                    progress(done, total)
        _write_json(staged / 'manifest.json', manifest)
        if root.exists():
            root.rename(retired)
        staged.rename(root)
    except BaseException:
        if retired.exists() and not root.exists():
            retired.rename(root)
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)
    return True


def load_source(split: str) -> Source:
    """Load the glyphs and photographs of ``split``. Splits share no glyph and no pixel.

    Args:
        split: 'train' (left halves of the photographs) or 'val' (right halves).
    """
    try:
        from sklearn.datasets import load_digits, load_sample_image

        digits = load_digits()
        photos = [load_sample_image(name) for name in ('china.jpg', 'flower.jpg')]
    except ImportError as error:
        raise _missing(error) from error

    train = split == 'train'
    chosen = slice(None, NUM_TRAIN_GLYPHS) if train else slice(NUM_TRAIN_GLYPHS, None)
    middle = photos[0].shape[1] // 2
    return Source(
        glyphs=(digits.images[chosen] / 16).astype(np.float32),
        labels=digits.target[chosen].astype(np.int64),
        photos=tuple(p[:, :middle] if train else p[:, middle:] for p in photos),
    )


def compose_scene(source: Source, split: str, index: int, size: int, seed: int) -> Scene:
    """Draw scene ``index`` of ``split``: a background and one to three digits on it."""
    rng = np.random.default_rng((seed, SPLITS.index(split), index))
    return paste_digits(rng, crop_background(rng, source.photos, size), source)


def crop_background(
    rng: np.random.Generator, photos: tuple[np.ndarray, ...], size: int
) -> np.ndarray:
    """Crop a random square of a random photograph, (size, size, 3) float32."""
    Image = pillow()
    photo = photos[rng.integers(len(photos))]
    side = int(rng.integers(96, min(photo.shape[:2]) + 1))
    top, left = (int(rng.integers(length - side + 1)) for length in photo.shape[:2])
    crop = photo[top : top + side, left : left + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    crop = np.ascontiguousarray(crop)
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.BICUBIC), np.float32)


def paste_digits(rng: np.random.Generator, background: np.ndarray, source: Source) -> Scene:
    """Paste random digits on ``background``, skipping those without a free position."""
    size = len(background)
    image = background.copy()
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    masks: list[np.ndarray] = []
    for _ in range(int(rng.integers(1, MAX_DIGITS + 1))):
        chosen = int(rng.integers(len(source.glyphs)))
        height = int(rng.integers(round(size * HEIGHTS[0]), round(size * HEIGHTS[1]) + 1))
        mask = soft_mask(source.glyphs[chosen], height)
        box = _free_position(rng, mask.shape, size, boxes)
        if box is None:
            continue
        x, y, w, h = box
        under = image[y - FRINGE : y + h + FRINGE, x - FRINGE : x + w + FRINGE]
        colour = _contrasting_colour(rng, under[mask >= VISIBLE].mean(axis=0))
        under += mask[..., None] * (colour - under)
        pixels = np.zeros((size, size), bool)
        pixels[y : y + h, x : x + w] = mask[FRINGE:-FRINGE, FRINGE:-FRINGE] >= VISIBLE
        masks.append(pixels)
        boxes.append(box)
        labels.append(int(source.labels[chosen]))
    return Scene(
        image=np.clip(np.rint(image), 0, 255).astype(np.uint8),
        boxes=np.array(boxes, np.int64),
        labels=np.array(labels, np.int64),
        masks=np.array(masks),
    )


def soft_mask(glyph: np.ndarray, height: int) -> np.ndarray:
    """Upscale a glyph bicubically to an opacity mask in 0..1.

    Args:
        glyph: (8, 8) ink in 0..1.
        height: Height in pixels of the glyph's eight rows.

    Returns:
        The mask, cropped to the box of its visible pixels plus ``FRINGE`` pixels on each side.
    """
    Image = pillow()
    # The scans touch their border: pad it, so that their edges become soft.
    framed = np.pad(glyph, 2)
    side = round(height * len(framed) / len(glyph))
    ink = np.asarray(Image.fromarray(framed).resize((side, side), Image.BICUBIC))
    mask = np.clip((ink - 0.1) / 0.6, 0, 1)
    mask = np.pad(mask, FRINGE)
    rows, columns = (np.flatnonzero((mask >= VISIBLE).any(axis=axis)) for axis in (1, 0))
    return mask[
        rows[0] - FRINGE : rows[-1] + 1 + FRINGE, columns[0] - FRINGE : columns[-1] + 1 + FRINGE
    ]


def _already_written(root: Path, manifest: dict[str, Any], force: bool) -> bool:
    if not root.exists():
        return False
    if not root.is_dir():
        raise FileExistsError(f'{root} is a file; expected a directory. Choose another --root.')
    if not any(root.iterdir()):
        return False
    try:
        found = json.loads((root / 'manifest.json').read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get('dataset') != manifest['dataset']:
        raise FileExistsError(
            f'{root} contains other files (no manifest.json of digit scenes), which are not '
            'deleted. Choose another --root.'
        )
    if found == manifest:
        return True
    if force:
        return False
    differing = [key for key in manifest if found.get(key) != manifest[key]]
    was = ', '.join(f'{key}={found.get(key)}' for key in differing)
    wanted = ', '.join(f'{key}={manifest[key]}' for key in differing)
    raise FileExistsError(
        f'{root} contains digit scenes with {was}; requested: {wanted}. Add --force to replace '
        'them, or choose another --root.'
    )


def _write_split(root: Path, split: str, num_scenes: int, size: int, seed: int) -> Iterator[None]:
    """Write images and annotations of one split. Yields after each scene."""
    Image = pillow()
    source = load_source(split)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (root / split).mkdir()
    for index in range(num_scenes):
        scene = compose_scene(source, split, index, size, seed)
        name = f'{index:06d}.jpg'
        # High-quality JPEG decodes three times as fast as PNG and looks the same.
        Image.fromarray(scene.image).save(root / split / name, quality=95, subsampling=0)
        images.append({'id': index + 1, 'file_name': name, 'width': size, 'height': size})
        for box, label, mask in zip(
            scene.boxes.tolist(), scene.labels.tolist(), scene.masks, strict=True
        ):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': index + 1,
                    'category_id': label + 1,
                    'bbox': box,
                    'area': box[2] * box[3],
                    'iscrowd': 0,
                    'segmentation': _run_lengths(mask),
                }
            )
        yield
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(CLASSES)]
    _write_json(
        root / 'annotations' / f'{split}.json',
        {
            'info': {'description': f'w2s_mm digit scenes, {split}', 'version': str(FORMAT)},
            'licenses': [],
            'categories': categories,
            'images': images,
            'annotations': annotations,
        },
    )


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO run-length encoding of a mask (S, S), column by column."""
    try:
        from pycocotools.mask import encode
    except ImportError as error:
        raise _missing(error) from error
    encoded = encode(np.asfortranarray(mask.astype(np.uint8)))
    return {'size': list(mask.shape), 'counts': encoded['counts'].decode('ascii')}


def _free_position(
    rng: np.random.Generator,
    mask_shape: tuple[int, ...],
    size: int,
    taken: list[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    h, w = (length - 2 * FRINGE for length in mask_shape)
    for _ in range(20):
        x = int(rng.integers(FRINGE, size - w - FRINGE + 1))
        y = int(rng.integers(FRINGE, size - h - FRINGE + 1))
        if all(overlap((x, y, w, h), other) <= MAX_OVERLAP for other in taken):
            return x, y, w, h
    return None


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection of two boxes over the area of the smaller one, an upper bound of the IoU."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0) / min(a[2] * a[3], b[2] * b[3])


def _contrasting_colour(rng: np.random.Generator, under: np.ndarray) -> np.ndarray:
    while True:  # At most a fifth of the colour cube is too close to any colour.
        colour = rng.uniform(0, 255, 3).astype(np.float32)
        if np.linalg.norm(colour - under) >= MIN_CONTRAST:
            return colour


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content) + '\n')


def pillow() -> Any:
    """Return ``PIL.Image``; if missing, the error names the packages to install."""
    try:
        from PIL import Image
    except ImportError as error:
        raise _missing(error) from error
    return Image


def _missing(error: ImportError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f'digit scenes need scikit-learn, Pillow and pycocotools: {error}. '
        f'Run: pip install scikit-learn pillow pycocotools'
    )
