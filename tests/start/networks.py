"""Pairs of small networks for growing, as configs."""

PREPROCESSOR = dict(type='ImgDataPreprocessor', mean=[0.0], std=[1.0])


def ddpm(channels, blocks, size=8):
    unet = dict(
        type='ImprovedDDPMUNet', channels=channels, blocks=blocks, image_size=size, in_channels=1
    )
    return dict(type='DDPM', unet=unet, data_preprocessor=PREPROCESSOR)


def classifier(backbone, width, neck, head):
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=backbone,
        neck=neck,
        head=dict(
            type=head,
            num_classes=10,
            in_channels=width,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
    )


def resnet(depth, channels, **changes):
    backbone = dict(
        type='mmpretrain.ResNet_CIFAR',
        depth=depth,
        base_channels=channels,
        stem_channels=channels,
        **changes,
    )
    width = channels * (8 if depth < 50 else 32)
    neck = dict(type='mmpretrain.GlobalAveragePooling')
    return classifier(backbone, width, neck, 'mmpretrain.LinearClsHead')


def vit(width, layers, heads):
    arch = dict(
        embed_dims=width, num_layers=layers, num_heads=heads, feedforward_channels=4 * width
    )
    backbone = dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=32, patch_size=8)
    return classifier(backbone, width, None, 'mmpretrain.VisionTransformerClsHead')
