"""What every config on COCO train5k/val500 imports, and what to do where the data is missing.

This is the paper's split for detection. How the paper drew it is not published: ours is random, and
its seed and ids are recorded.
"""

custom_imports = dict(imports=['w2s_mm.detection', 'w2s_mm.hooks'], allow_failed_imports=False)
missing_data = (
    'Download train2017.zip, val2017.zip and annotations_trainval2017.zip from cocodataset.org, '
    'unpack them as data/coco/{train2017,val2017,annotations}, then run: '
    'w2s coco-split. The digit scenes need no download: w2s demo'
)
