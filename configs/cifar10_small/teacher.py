"""Weak teacher."""

_base_ = './baseline.py'

model = dict(
    backbone=dict(
        stem_channels=8,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(in_channels=32),
)
train_cfg = dict(max_iters=1564, val_interval=200)
