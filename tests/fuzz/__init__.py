"""Hostile and broken inputs: generated cases, each of which has to end well.

A case ends well if it succeeds or raises a ``W2SError`` that names the file or the option. Every
other exception, a hang, a large use of memory and code that ran are defects. All cases are made
from a seed::

    python -m tests.fuzz                # all cases: minutes; prints the table
    python -m tests.fuzz --sample 300   # some of each kind
"""
