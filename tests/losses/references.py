"""The losses' formulas in NumPy and float64, and numbers to try them on."""

import numpy as np
import torch


def randn(seed, size=(5, 4), scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(size, generator=generator, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def kl_rows(pred, target):
    """KL(softmax(target) || softmax(pred)), row by row."""
    q, p = softmax(pred), softmax(target)
    return (p * np.log(p / q)).sum(-1)


def focal_rows(pred, target, focal):
    """Soft-target focal loss, summed over classes; without its floor for ``focal = 0``."""
    q, p = sigmoid(pred), sigmoid(target)
    cross = -(p * np.log(q) + (1 - p) * np.log(1 - q))
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    return (np.abs(q - p) ** focal * cross if focal else cross - entropy).sum(-1)


def balanced_rows(pred, target, emphasis):
    """BD-KD: both directions, row by row."""
    entropies = [-(p * np.log(p)).sum(-1) for p in map(softmax, (pred, target))]
    reverse = np.where(entropies[0] > entropies[1], emphasis, 1 - emphasis)
    return (1 - reverse) * kl_rows(pred, target) + reverse * kl_rows(target, pred)


def decoupled_rows(pred, target, labels, alpha, beta):
    """DKD: label against rest, and the other classes among themselves, row by row."""
    rows = []
    for s, t, label in zip(softmax(pred), softmax(target), labels, strict=True):
        rest = [c for c in range(len(s)) if c != label]
        q, p = (np.array([side[label], side[rest].sum()]) for side in (s, t))
        inner_q, inner_p = (side[rest] / side[rest].sum() for side in (s, t))
        target_part = (p * np.log(p / q)).sum()
        rows.append(alpha * target_part + beta * (inner_p * np.log(inner_p / inner_q)).sum())
    return np.array(rows)


def hard_label_rows(pred, target):
    """Cross-entropy with the class that is most probable in ``target``."""
    return -np.log(softmax(pred)[np.arange(len(pred)), target.argmax(-1)])


def relation_rows(pred, target, beta, gamma):
    """DIST: correlation of each row, and the mean of those of the classes."""
    q, p = softmax(pred), softmax(target)
    rows = np.array([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q, p, strict=True)])
    classes = [1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q.T, p.T, strict=True)]
    return beta * rows + gamma * np.mean(classes)


def standardized(logits):
    return (logits - logits.mean(-1, keepdims=True)) / logits.std(-1, keepdims=True)


def squared_rows(pred, target):
    return ((pred - target) ** 2).reshape(len(pred), -1).mean(-1)
