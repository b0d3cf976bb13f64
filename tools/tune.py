#!/usr/bin/env python
"""``w2s tune``: try settings of a baseline and a student."""

from w2s_mm.commands.tune import main

if __name__ == '__main__':
    main()
