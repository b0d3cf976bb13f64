"""A smaller ResNet on the noisy digits, the weak teacher: half as wide, one stage shorter.

Row:     stands for the teachers of the paper's Table 1
Command: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (800 iterations of 64 images)
Gives:   work_dirs/classifier_teacher/iter_800.pth; Top-1 about 77, a tenth below the finished
         baseline
"""

_base_ = './classifier_baseline.py'

model = dict(
    backbone=dict(
        stem_channels=4,
        base_channels=4,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(in_channels=16),
)
train_dataloader = dict(batch_size=64)
train_cfg = dict(max_iters=800, val_interval=100)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=6e-3, weight_decay=0.05))
auto_scale_lr = dict(base_batch_size=64)
