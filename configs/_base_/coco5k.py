"""COCO train5k/val500, the paper's split for detection, drawn by tools/make_coco_split.py.

How the paper drew it is not published; ours is random, with the seed and the ids on record.
"""

custom_imports = dict(imports=['w2s_mm.detection', 'w2s_mm.hooks'], allow_failed_imports=False)
missing_data = (
    'Download train2017.zip, val2017.zip and annotations_trainval2017.zip from cocodataset.org, '
    'unpack them as data/coco/{train2017,val2017,annotations}, then type: '
    'python tools/make_coco_split.py. The digit scenes run without any download: make demo'
)
