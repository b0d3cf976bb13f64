"""CIFAR-100 with MMPretrain's pipeline, in data/cifar100."""

_base_ = 'mmpretrain::_base_/datasets/cifar100_bs16.py'

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)
missing_data = (
    'Download cifar-100-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html and unpack it in '
    'data/cifar100, or let MMPretrain do that: --cfg-options '
    'train_dataloader.dataset.download=True val_dataloader.dataset.download=True. The noisy digits '
    'need no download: w2s train w2s_mm::digits/classifier_baseline.py'
)

train_dataloader = dict(dataset=dict(download=False))
val_dataloader = dict(dataset=dict(download=False))
test_dataloader = val_dataloader
