#!/usr/bin/env python
"""Why does this teacher help, or not? ``python tools/diagnose_teacher.py STUDENT --student-run ...``."""

from w2s_mm.engine.diagnose import main

if __name__ == '__main__':
    main()
