"""ResNet-50 on ImageNet with Muon, a baseline.

Row:     Table 1 of arXiv 2604.15451: Top-1 65 in epoch 19, best Top-1 77.11
Command: tools/dist_train.sh configs/baselines/imagenet_resnet50_muon.py 8
Needs:   ImageNet-1K in data/imagenet
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_resnet50_muon/time_to_target.json (target Top-1 65). Learning rate,
         schedule and length are our guess: the paper gives none
"""

_base_ = './imagenet_resnet50_adamw.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(_delete_=True, type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=1e-3),
)
