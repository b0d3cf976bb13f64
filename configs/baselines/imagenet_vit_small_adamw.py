"""ViT-S/16 on ImageNet with AdamW, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 75.87
Command: tools/dist_train.sh configs/baselines/imagenet_vit_small_adamw.py 4
Needs:   ImageNet-1K in data/imagenet
Takes:   100 epochs of 1,251 iterations of 1,024 images; not yet measured at this size
Gives:   work_dirs/imagenet_vit_small_adamw/time_to_target.json (target Top-1 50). The recipe is
         MMPretrain's for DeiT-S, with Mixup and CutMix; 100 epochs are our guess, as the paper
         gives none
"""

_base_ = [
    'mmpretrain::deit/deit-small_4xb256_in1k.py',
    '../_base_/imagenet.py',
]

train_cfg = dict(max_epochs=100)
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[50]),
)
