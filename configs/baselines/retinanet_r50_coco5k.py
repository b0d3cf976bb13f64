"""RetinaNet-R50 baseline of the paper's Table 2: AP50 20 % in epoch 10, best 22.55.

Command: tools/dist_train.sh configs/baselines/retinanet_r50_coco5k.py 8
Needs:   COCO 2017 (tools/make_coco_split.py says where) and torchvision's ResNet-50; batch 16 as in
         MMDetection's 1x schedule (another number of GPUs: --auto-scale-lr)
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   work_dirs/retinanet_r50_coco5k/time_to_target.json, the baseline of tools/first_at.py
"""

_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/coco5k.py',
]

train_dataloader = dict(dataset=dict(ann_file='annotations/instances_train5k.json'))
val_dataloader = dict(dataset=dict(ann_file='annotations/instances_val500.json'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=_base_.data_root + 'annotations/instances_val500.json')
test_evaluator = val_evaluator
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='coco/bbox_mAP_50', thresholds=[0.2]),
)
auto_scale_lr = dict(base_batch_size=16)
