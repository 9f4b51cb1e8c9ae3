"""UIDs as they come from the network: hostile until they match (PS3.5 9.1)."""

from __future__ import annotations

import re

_UID = re.compile(rb"[0-9]+(\.[0-9]+)+")
_PADDING = b"\0 "
_LONGEST = 64


def parse_uid(raw: bytes) -> str | None:
    """Return the UID without padding, or None when it is not one.

    Components with leading zeros break the standard, but real devices send
    them and no harm comes of it; anything but digits and dots is refused.
    """
    value = raw.rstrip(_PADDING)
    if len(value) > _LONGEST or not _UID.fullmatch(value):
        return None
    return value.decode("ascii")
