#!/usr/bin/env python
"""``w2s demo``: a teacher, a baseline and a student on digit scenes."""

from w2s_mm.commands.demo import main

if __name__ == '__main__':
    main()
