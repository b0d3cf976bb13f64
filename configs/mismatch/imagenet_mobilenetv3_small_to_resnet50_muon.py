"""ResNet-50 <- MobileNetV3-Small, ImageNet; Table 3 of arXiv 2604.15451: too weak, 0.51x.

Command: tools/dist_train.sh configs/mismatch/imagenet_mobilenetv3_small_to_resnet50_muon.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   ImageNet-1K in data/imagenet, and a teacher checkpoint of
         configs/baselines/imagenet_mobilenetv3_small.py, trained or fetched as its docstring says
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_mobilenetv3_small_to_resnet50_muon/{time_to_target,weak_to_strong}.json
         for tools/first_at.py (the paper: Top-1 65 in epoch 37 instead of 19; with Muon, as its 19
         is)
"""

_base_ = '../imagenet_resnet18_to_resnet50_muon.py'

model = dict(
    teacher=dict(
        config='w2s_mm::baselines/imagenet_mobilenetv3_small.py',
        checkpoint='work_dirs/imagenet_mobilenetv3_small/epoch_600.pth',
    )
)
