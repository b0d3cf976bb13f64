"""Configs of the losses between softmax logits, and what a distill head makes of each of them."""

from tests.losses import references

LEARNED = 1.0 + 4.0 * references.sigmoid(1.0)  # at the start

# By name: the config, and the term of student and teacher logits (R, C) with labels (R,) at
# temperature T, in NumPy and float64.
SIGNALS = {
    'curriculum temperature': (
        {'type': 'CurriculumTemperatureLoss', 'high': 5.0},
        lambda s, t, labels, T: LEARNED**2 * references.kl_rows(s / LEARNED, t / LEARNED).mean(),
    ),
    'decoupled': (
        {'type': 'DecoupledDistillLoss', 'alpha': 1.0, 'beta': 2.0},
        lambda s, t, labels, T: (
            T**2 * references.decoupled_rows(s / T, t / T, labels, 1.0, 2.0).mean()
        ),
    ),
    'balanced': (
        {'type': 'BalancedKLDistillLoss'},
        lambda s, t, labels, T: T**2 * references.balanced_rows(s / T, t / T, 0.75).mean(),
    ),
    'standardized': (
        {'type': 'StandardizedDistillLoss'},
        lambda s, t, labels, T: (
            T**2
            * references.kl_rows(*(references.standardized(side) / T for side in (s, t))).mean()
        ),
    ),
    'standardized decoupled': (
        {'type': 'StandardizedDistillLoss', 'loss': {'type': 'DecoupledDistillLoss'}},
        lambda s, t, labels, T: (
            T**2
            * references.decoupled_rows(
                *(references.standardized(side) / T for side in (s, t)), labels, 1.0, 8.0
            ).mean()
        ),
    ),
    'hard labels': (
        {'type': 'HardLabelDistillLoss'},
        lambda s, t, labels, T: references.hard_label_rows(s, t).mean(),
    ),
    'relations': (
        {'type': 'RelationDistillLoss', 'beta': 2.0},
        lambda s, t, labels, T: T**2 * references.relation_rows(s / T, t / T, 2.0, 1.0).mean(),
    ),
}
