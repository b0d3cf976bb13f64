"""Files that are whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` to ``path`` in one step: a reader never sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.write_text(json.dumps(content, indent=1) + '\n')
    os.replace(temporary, path)


def is_missing(source: str) -> bool:
    """Whether ``source`` is the path of a file that is not there; an address is left alone."""
    return '://' not in source and not Path(source).is_file()
