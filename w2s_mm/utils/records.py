"""An append-only store of small records in a folder, shared by processes and runs."""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

KEY_BYTES = 16
_MAGIC = b'w2s_mm records 1\n'
_HEAD = struct.Struct(f'<{KEY_BYTES}sII')  # key, bytes of the content, checksum of both
_SUFFIX = '.records'
_LONGEST = 1 << 26  # bytes of a record that is believed


class Records:
    """Records by key, in files that are only ever appended to.

    Each process writes a file of its own, so that any number of processes and runs can share a
    folder without locks. A process sees what was in the folder when it opened it, and its own
    records. A file that was cut short by a kill, or damaged, is read up to the damage.

    Args:
        folder: Where the files are; created with the first record.
        limit: Bytes that the folder may hold. Beyond it nothing is added.
        say: Called with a line for the log: damage, foreign files, a full folder or disk.

    Attributes:
        size: Bytes in the folder, as far as this process knows.
    """

    def __init__(self, folder: Path, limit: int, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.limit = limit
        self.size = 0
        self._say = say
        self._places: dict[bytes, tuple[Path, int, int]] = {}
        self._readers: dict[Path, IO[bytes]] = {}
        self._writer: IO[bytes] | None = None
        self._full = False
        for path in sorted(folder.glob(f'*{_SUFFIX}')) if folder.is_dir() else ():
            self._index(path)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, key: bytes) -> bytes | None:
        """The content of a record, or None if there is none or it can no longer be read."""
        place = self._places.get(key)
        if place is None:
            return None
        path, start, length = place
        try:
            if path not in self._readers:
                self._readers[path] = path.open('rb')
            content = os.pread(self._readers[path].fileno(), length, start)
        except OSError:
            content = b''
        if len(content) < length:  # removed or cut while this process runs
            del self._places[key]
            return None
        return content

    def add(self, key: bytes, content: bytes) -> None:
        """Add a record. Does nothing if the key is known, or the folder or the disk is full."""
        if key in self._places or self._full:
            return
        length = _HEAD.size + len(content)
        if self.size + length > self.limit:
            self._stop(f'{self.folder} has {self.size >> 20} MB, its limit')
            return
        try:
            writer = self._writer or self._create()
            start = writer.tell()
            writer.write(_HEAD.pack(key, len(content), _checksum(key, content)) + content)
            writer.flush()
        except OSError as error:
            self._stop(f'{self.folder} cannot be written ({error.strerror})')
            return
        self._places[key] = Path(writer.name), start + _HEAD.size, len(content)
        self.size += length

    def _create(self) -> IO[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f'{uuid.uuid4().hex}{_SUFFIX}'
        self._writer = path.open('xb')
        self._writer.write(_MAGIC)
        self.size += len(_MAGIC)
        return self._writer

    def _stop(self, why: str) -> None:
        self._full = True
        self._say(f'{why}: nothing more is added.')

    def _index(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            self._say(f'{path} cannot be read ({error.strerror}) and is ignored.')
            return
        self.size += len(content)
        if not content.startswith(_MAGIC):
            if content and not _MAGIC.startswith(content):  # cut short within its first bytes
                self._say(f'{path} is not a file of this version and is ignored.')
            return
        start = len(_MAGIC)
        while start < len(content):
            if start + _HEAD.size > len(content):
                break  # cut short
            key, length, checksum = _HEAD.unpack_from(content, start)
            end = start + _HEAD.size + length
            found = content[start + _HEAD.size : end]
            if length > _LONGEST or checksum != _checksum(key, found):
                if end <= len(content):
                    self._say(f'{path} is damaged; what follows byte {start:,} is ignored.')
                break
            self._places.setdefault(key, (path, start + _HEAD.size, length))
            start = end


def _checksum(key: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(key))
