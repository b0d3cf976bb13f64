#!/usr/bin/env python
"""Is it worth it? ``python tools/compare.py CONFIG [CONFIG ...] --baseline CONFIG --seeds 0 1 2``."""

from w2s_mm.engine.compare import main

if __name__ == '__main__':
    main()
