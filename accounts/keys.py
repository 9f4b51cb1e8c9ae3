"""Primary keys: UUIDs that sort by the time of their making (RFC 9562, version 7)."""

from __future__ import annotations

import uuid

from uuid6 import uuid7


def new_key() -> uuid.UUID:
    """Return a new time-ordered key as a plain `uuid.UUID`."""
    return uuid.UUID(int=uuid7().int)
