"""Atomic file writes, and files that are read while they are written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_bytes(path: str | Path, content: bytes, ending: str | None = None) -> None:
    """Write ``content`` to ``path`` atomically: the file is as before, or complete.

    Args:
        path: The file. Its folder is created if needed.
        content: What to write.
        ending: Ending of the temporary file. Default: the process id, so that several processes can
            write the same file. A fixed one is overwritten by the next write if this one is killed.

    Raises:
        OSError: It cannot be written; ``filename`` is ``path``.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{ending or os.getpid()}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the new name: a power cut leaves no empty file
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` to ``path`` as JSON, atomically."""
    write_bytes(path, (json.dumps(content, indent=1) + '\n').encode())


def read_json(path: str | Path) -> Any:
    """Content of a JSON file; None if it does not exist or was cut short."""
    try:
        return json.loads(Path(path).read_text())
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def write_json_lines(path: str | Path, lines: Iterable[Any]) -> None:
    """Write one JSON document a line to ``path``, atomically."""
    write_bytes(path, ''.join(map(_line, lines)).encode())


def append_json_line(path: str | Path, content: Any) -> None:
    """Append one line to a file of :func:`write_json_lines`."""
    with Path(path).open('a') as file:
        file.write(_line(content))


def read_json_lines(path: str | Path) -> list[Any]:
    """Read a file of :func:`write_json_lines`, without a last line that is cut short.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is not JSON.
    """
    return [json.loads(line) for line in Path(path).read_text().split('\n')[:-1]]


def _line(content: Any) -> str:
    return json.dumps(content, separators=(',', ':')) + '\n'


def is_file(path: str | Path) -> bool:
    """Whether a file exists; a name that no file can have is one that does not."""
    try:
        return Path(path).expanduser().is_file()
    except (OSError, RuntimeError):  # too long; `~` of nobody
        return False


def is_missing(source: str) -> bool:
    """Whether ``source`` is a path to no existing file. False for URLs."""
    return '://' not in source and not is_file(source)
