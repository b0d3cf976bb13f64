"""A figure of digit scenes with their boxes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from w2s_mm.datasets.digit_scenes import CLASSES, overlap, pillow


def digit_scenes_figure(
    root: str | os.PathLike[str], path: str | os.PathLike[str], columns: int = 4, rows: int = 2
) -> None:
    """Draw the first validation scenes with their boxes and labels in one image.

    Args:
        root: Data set written by ``write_digit_scenes``.
        path: Image file to write; the suffix sets the format.
        columns: Number of columns of scenes.
        rows: Number of rows of scenes.
    """
    Image = pillow()
    from PIL import ImageDraw, ImageFont

    root, path = Path(root), Path(path)
    coco = json.loads((root / 'annotations' / 'val.json').read_text())
    side, gap, tag = 224, 8, (13, 17)
    font = ImageFont.load_default(size=14)
    sheet = Image.new(
        'RGB', (columns * (side + gap) + gap, rows * (side + gap) + gap), (255, 255, 255)
    )
    for place, info in enumerate(coco['images'][: columns * rows]):
        scale = side / info['width']
        with Image.open(root / 'val' / info['file_name']) as image:
            scene = image.resize((side, side), Image.BICUBIC)
        draw = ImageDraw.Draw(scene)
        labelled = [
            ([scale * value for value in annotation['bbox']], annotation['category_id'] - 1)
            for annotation in coco['annotations']
            if annotation['image_id'] == info['id']
        ]
        for (x, y, w, h), label in labelled:
            draw.rectangle((x - 2, y - 2, x + w + 1, y + h + 1), None, _BOX_COLOURS[label], 2)
        taken = [(x - 2, y - 2, w + 4, h + 4) for (x, y, w, h), _ in labelled]
        for (x, y, w, h), label in labelled:
            # Put the label at the corner of its box where it covers least of the others.
            left, above, right, below = x - 2, y - 1 - tag[1], x + w + 2 - tag[0], y + h + 1
            corners = [(left, above), (right, above), (left, below), (right, below)]
            inside = [c for c in corners if c[1] >= 0 and c[1] + tag[1] <= side]
            corner = min(inside, key=lambda c: sum(overlap((*c, *tag), t) for t in taken))
            taken.append((*corner, *tag))
            end = corner[0] + tag[0] - 1, corner[1] + tag[1] - 1
            draw.rectangle((*corner, *end), fill=_BOX_COLOURS[label])
            middle = corner[0] + tag[0] / 2, corner[1] + tag[1] / 2 + 0.5
            draw.text(middle, CLASSES[label], 'black', font, anchor='mm')
        row, column = divmod(place, columns)
        sheet.paste(scene, (gap + column * (side + gap), gap + row * (side + gap)))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Six bits per channel look the same and halve the file size.
    sheet.point(lambda value: value & 0xFC | value >> 6).save(path, optimize=True)


_BOX_COLOURS = (
    *('#4e9fd7', '#f28e2b', '#e9595c', '#76c7c2', '#59b14f'),
    *('#edc948', '#b98ad0', '#ff9da7', '#c09a7c', '#bab0ac'),
)
