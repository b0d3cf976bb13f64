"""What every config on ImageNet-1K imports, and what to do where the data is missing."""

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)
missing_data = (
    'Download ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and unpack '
    'them as data/imagenet/{train,val}, a folder per class. The noisy digits need no download: '
    'w2s train w2s_mm::digits/classifier_baseline.py'
)
