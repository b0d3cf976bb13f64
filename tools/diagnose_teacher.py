#!/usr/bin/env python
"""``w2s diagnose``: check whether a teacher is suitable."""

from w2s_mm.commands.diagnose import main

if __name__ == '__main__':
    main()
