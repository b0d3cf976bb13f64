"""Files that are either complete or absent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` to ``path`` in one step: a reader never sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as JSON, in one step as :func:`write_bytes` does."""
    write_bytes(path, (json.dumps(content, indent=1) + '\n').encode())


def is_missing(source: str) -> bool:
    """Whether ``source`` is the path of a file that does not exist; an address is never missing."""
    return '://' not in source and not Path(source).is_file()
