#!/usr/bin/env python
"""``w2s report``: report on existing runs."""

from w2s_mm.commands.report import main

if __name__ == '__main__':
    main()
