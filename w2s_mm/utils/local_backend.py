"""MMEngine's backend for local files, with atomic writes."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .files import write_bytes


class AtomicLocalBackend(LocalBackend):
    """Replaces MMEngine's backend ``local``, through which it writes checkpoints.

    A run killed while it saves a checkpoint then leaves the one of that name as it was before. With
    ``save_best`` MMEngine overwrites the last regular checkpoint.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file atomically."""
        write_bytes(filepath, obj, ending='part')


register_backend('local', AtomicLocalBackend, force=True, prefixes='')
