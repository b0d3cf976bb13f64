#!/usr/bin/env python
"""``w2s train``: train a model."""

from w2s_mm.commands.train import main

if __name__ == '__main__':
    main()
