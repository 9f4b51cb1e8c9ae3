"""In which transfer syntax an instance leaves: what is asked for, and what it can become."""

from __future__ import annotations

from collections.abc import Sequence

from archive.frames import describe_pixels
from archive.models import Instance
from archive.transcode import as_stored
from imaging.encoders import ENCODED, can_encode
from imaging.errors import NoctisError
from imaging.header import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN
from imaging.header import IMPLICIT_VR_LITTLE_ENDIAN as IMPLICIT
from imaging.pixels import SHOWN_SYNTAXES

EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN
ANY, UNSAID = "*", ""
# Never on the wire (PS3.18 8.7.3), nor what other programs do not know.
_KEPT_HOME = {IMPLICIT, EXPLICIT_VR_BIG_ENDIAN, "1.2.840.113619.5.2"}
_LOSSY = {
    f"1.2.840.10008.1.2.4.{number}"
    for number in (50, 51, 52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63, 64, 65, 66, 81, 91, 93, 203)
}


def is_lossy(syntax: str) -> bool:
    """Whether pixels in this transfer syntax may have lost something when they were encoded."""
    return syntax in _LOSSY


def choose_syntax(instance: Instance, wishes: Sequence[str]) -> str | None:
    """Return the transfer syntax in which an instance leaves, by wishes in their order.

    A wish is a UID, ANY, or UNSAID: then it is Explicit VR Little Endian, but what was lossy or
    cannot be decoded here stays as it is (PS3.18 8.7.3.3). What has no pixels has nothing to
    compress and leaves in plain. None when no wish can be met.
    """
    for wish in wishes:
        found = _meet(instance, wish)
        if found:
            return found
    return None


def _meet(instance: Instance, wish: str) -> str | None:
    stored = instance.transfer_syntax_uid
    may_leave = stored not in _KEPT_HOME
    can_be_plain = not instance.number_of_frames or stored in SHOWN_SYNTAXES
    if may_leave and wish in (stored, ANY):
        return stored
    if wish == UNSAID and may_leave and (is_lossy(stored) or not can_be_plain):
        return stored
    if wish in (EXPLICIT, UNSAID, ANY):
        return EXPLICIT if can_be_plain else None
    if wish in ENCODED:
        if not instance.number_of_frames:
            return EXPLICIT
        return wish if can_be_plain and can_compress(instance) else None
    return None


def can_compress(instance: Instance) -> bool:
    """Whether the pixels of an instance fit a lossless codestream, by what the index knows."""
    try:
        return can_encode(as_stored(describe_pixels(instance)))
    except NoctisError:
        return False
