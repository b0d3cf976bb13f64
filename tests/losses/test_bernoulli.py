"""Entropy and divergence of sigmoid scores."""

import math

import torch

from w2s_mm.losses import bernoulli_entropy, bernoulli_kl


def logit(p):
    return math.log(p / (1 - p))


def entropy(p):
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


def divergence(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_divergence_is_the_sum_over_yes_or_no_answers():
    student = torch.tensor([[logit(0.3), logit(0.9)], [0.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[logit(0.6), logit(0.5)], [0.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([divergence(0.3, 0.6) + divergence(0.9, 0.5), 0.0], dtype=torch.float64)
    torch.testing.assert_close(bernoulli_kl(student, teacher), expected)


def test_entropy_is_the_sum_over_yes_or_no_answers():
    logits = torch.tensor([[logit(0.3), logit(0.9)], [0.0, 0.0]], dtype=torch.float64)
    expected = [entropy(0.3) + entropy(0.9), 2 * math.log(2)]
    torch.testing.assert_close(
        bernoulli_entropy(logits), torch.tensor(expected, dtype=torch.float64)
    )
