#!/usr/bin/env python
"""``w2s digit-scenes``: write a small detection data set."""

from w2s_mm.commands.digit_scenes import main

if __name__ == '__main__':
    main()
