#!/usr/bin/env python
"""``w2s select-teacher``: recommend a checkpoint as the teacher."""

from w2s_mm.commands.select_teacher import main

if __name__ == '__main__':
    main()
