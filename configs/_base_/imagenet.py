"""Where ImageNet-1K is looked for."""

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)
missing_data = (
    'Download ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and unpack '
    'them as data/imagenet/{train,val}, a folder a class. The noisy digits need no download: '
    'python tools/train.py configs/digits/classifier_baseline.py'
)
