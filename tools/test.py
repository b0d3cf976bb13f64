#!/usr/bin/env python
"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

from w2s_mm.commands.test import main

if __name__ == '__main__':
    main()
