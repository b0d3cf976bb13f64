"""Persons on photographs: 1,600 / 340 images of COCO of 128 px; 1,000 iterations of 16 images.

Persons shorter than a quarter of the image's long side are ignored in training and evaluation. The
recipe is that of the digit scenes, with flips.
"""

_base_ = './digit_training.py'

missing_data = (
    'With COCO 2017 in data/coco (annotations, train2017, val2017), write the photographs: '
    'w2s coco-split --out data/coco_persons --classes person --smallest 0.25 --long-side 128 '
    '--train 1600 --val 340. The digit scenes need no download: w2s digit-scenes'
)

data_root = 'data/coco_persons/'
__persons = dict(
    data_root=data_root,
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=('person',)),
)
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(__persons, ann_file='instances_train.json', pipeline=train_pipeline)
)
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
val_dataloader = dict(
    dataset=dict(__persons, ann_file='instances_val.json', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'instances_val.json')
test_evaluator = val_evaluator

train_cfg = dict(max_iters=1000, val_interval=40)
# 95 % of where the tuning run (RetinaNet, seed 100) ended; fixed before the reported runs.
default_hooks = dict(time_to_target=dict(thresholds=[0.33]))
