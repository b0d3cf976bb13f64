"""Weak RetinaNet teacher on the digit scenes: the student's, a third as wide."""

_base_ = './retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
train_cfg = dict(val_interval=100)
