#!/usr/bin/env python
"""The whole story in one command: teacher, baseline, student with teacher, table and picture.

``make demo``, or ``python tools/demo.py [--seed N] [--work-dir DIR]``. What is finished is not
trained again; an interrupted demo goes on where it stopped.
"""

from w2s_mm.commands.demo import main

if __name__ == '__main__':
    main()
