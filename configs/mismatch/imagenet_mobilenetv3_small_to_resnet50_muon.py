"""ResNet-50 <- MobileNetV3-Small on ImageNet with Muon: a teacher that is too weak.

Row:     Table 3 of arXiv 2604.15451: Top-1 65 in epoch 37, baseline in 19 (0.51x); 19 is the
         paper's epoch with Muon
Command: tools/dist_train.sh configs/mismatch/imagenet_mobilenetv3_small_to_resnet50_muon.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   ImageNet-1K in data/imagenet, and a checkpoint of
         configs/baselines/imagenet_mobilenetv3_small.py, trained or downloaded as its docstring
         says
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_mobilenetv3_small_to_resnet50_muon/{time_to_target,weak_to_strong}.json
         for `w2s report`
"""

_base_ = '../imagenet_resnet18_to_resnet50_muon.py'

model = dict(
    teacher=dict(
        config='w2s_mm::baselines/imagenet_mobilenetv3_small.py',
        checkpoint='work_dirs/imagenet_mobilenetv3_small/epoch_600.pth',
    )
)
