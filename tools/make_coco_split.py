#!/usr/bin/env python
"""``w2s coco-split``: draw COCO train5k/val500."""

from w2s_mm.commands.coco_split import main

if __name__ == '__main__':
    main()
