#!/usr/bin/env python
"""``w2s export-ddpm``: write a diffusion model as a diffusers folder."""

from w2s_mm.commands.export_ddpm import main

if __name__ == '__main__':
    main()
