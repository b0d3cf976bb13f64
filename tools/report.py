#!/usr/bin/env python
"""Report runs: ``python tools/report.py RUN_DIR... --baseline RUN_DIR... --out DIR``."""

from w2s_mm.commands.report import main

if __name__ == '__main__':
    main()
