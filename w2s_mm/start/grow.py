"""Grow: expand a smaller network."""

from __future__ import annotations

from typing import Any

from w2s_mm.utils.errors import W2SError


def grow(*_: Any) -> Any:
    """Not there yet."""
    raise W2SError("how='grow' is not available yet; use how='inherit'.")
