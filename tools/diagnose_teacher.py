#!/usr/bin/env python
"""Why a teacher helps or not: ``python tools/diagnose_teacher.py STUDENT --student-run ...``."""

from w2s_mm.commands.diagnose import main

if __name__ == '__main__':
    main()
