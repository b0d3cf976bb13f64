#!/usr/bin/env python
"""Draw COCO train5k/val500 from the official files: ``python tools/make_coco_split.py``."""

from w2s_mm.datasets.coco_split import main

if __name__ == '__main__':
    main()
