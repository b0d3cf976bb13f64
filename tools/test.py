#!/usr/bin/env python
"""``w2s test``: evaluate a checkpoint."""

from w2s_mm.commands.test import main

if __name__ == '__main__':
    main()
