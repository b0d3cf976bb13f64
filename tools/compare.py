#!/usr/bin/env python
"""Train and compare: ``python tools/compare.py CONFIG [...] --baseline CONFIG --seeds 0 1 2``."""

from w2s_mm.commands.compare import main

if __name__ == '__main__':
    main()
