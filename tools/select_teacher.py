#!/usr/bin/env python
"""Choose a teacher: ``python tools/select_teacher.py STUDENT --run RUN_DIR --baseline 0.415``."""

from w2s_mm.commands.select_teacher import main

if __name__ == '__main__':
    main()
