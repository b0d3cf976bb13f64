"""Atomic file writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically: readers never see a partial file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` to ``path`` as JSON, atomically."""
    write_bytes(path, (json.dumps(content, indent=1) + '\n').encode())


def is_missing(source: str) -> bool:
    """Whether ``source`` is a path to no existing file. False for URLs."""
    return '://' not in source and not Path(source).expanduser().is_file()
