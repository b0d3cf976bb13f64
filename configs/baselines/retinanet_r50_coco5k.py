"""RetinaNet-R50 on COCO train5k, a baseline.

Row:     Table 2 of arXiv 2604.15451: AP50 20 % in epoch 10, best 22.55
Command: tools/dist_train.sh configs/baselines/retinanet_r50_coco5k.py 8
Needs:   COCO 2017 and its split (tools/make_coco_split.py), and torchvision's ResNet-50. Batch 16
         as in MMDetection's 1x schedule (for another number of GPUs: --auto-scale-lr)
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The 12 epochs of
         MMDetection's 1x schedule (batch 16, learning rate 0.01, lower after epochs 8 and 11) are
         our guess: the paper gives none
Gives:   work_dirs/retinanet_r50_coco5k/time_to_target.json (target AP50 20 %)
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
