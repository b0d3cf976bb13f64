"""Boxes written out one at a time, to compare with; and boxes to try things on."""

import math

import torch


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def decode(box, delta, stds):
    """Box of four deltas (Fast R-CNN, arXiv 1504.08083), the change of size cut off as usual."""
    dx, dy, dw, dh = (d * s for d, s in zip(delta, stds, strict=True))
    limit = abs(math.log(16 / 1000))
    dw, dh = (min(max(d, -limit), limit) for d in (dw, dh))
    width, height = box[2] - box[0], box[3] - box[1]
    cx, cy = (box[0] + box[2]) / 2 + dx * width, (box[1] + box[3]) / 2 + dy * height
    width, height = width * math.exp(dw), height * math.exp(dh)
    return [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]


def giou(a, b):
    """Generalized IoU of two boxes (arXiv 1902.09630)."""
    overlap = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(
        0.0, min(a[3], b[3]) - max(a[1], b[1])
    )
    union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - overlap
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return overlap / union - (hull - union) / hull


def random_boxes(seed, count=12):
    """Boxes x1 y1 x2 y2, shape (count, 4), in float64."""
    generator = torch.Generator().manual_seed(seed)
    corner = 40 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    size = 5 + 30 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([corner, corner + size], dim=1)
