"""The classifier on whose features FID is computed for the 8 px digits.

Row:     none in the paper; stands for the Inception-v3 of the standard FID, whose values are on
         another scale
Command: w2s train w2s_mm::digits/fid_classifier.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/fid_classifier/iter_600.pth; Top-1 about 97
"""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/noisy_digits.py']

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
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)  # makes three channels of one
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='DigitScans',
        split='train',
        pipeline=[
            dict(type='RandomCrop', crop_size=8, padding=1),
            dict(type='PackInputs'),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='DigitScans',
        split='val',
        test_mode=True,
        pipeline=[dict(type='PackInputs')],
    )
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=600, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=0.05))
default_hooks = dict(time_to_target=dict(thresholds=[90]))
