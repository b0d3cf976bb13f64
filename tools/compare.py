#!/usr/bin/env python
"""``w2s compare``: train configs and a baseline, and report."""

from w2s_mm.commands.compare import main

if __name__ == '__main__':
    main()
