#!/usr/bin/env python
"""Train a config: ``python tools/train.py configs/retinanet_r34_to_r50.py``."""

from w2s_mm.commands.train import main

if __name__ == '__main__':
    main()
