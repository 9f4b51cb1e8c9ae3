"""Unique identifiers (PS3.5 9.1)."""

import re

from imaging.errors import IdentityError

UID_LENGTH = 64
# Who wrote a file or speaks on an association (PS3.7 D.3.3.2).
IMPLEMENTATION_CLASS_UID = "1.2.826.0.1.3680043.10.1714.1"
IMPLEMENTATION_VERSION_NAME = "NOCTIS_1"
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def checked_uid(value: str, keyword: str) -> tuple[str, bool]:
    """Return a UID fit to be a key, and whether it conforms.

    Leading zeros within a component are forbidden by PS3.5 9.1 but common, so they are
    tolerated. The value itself is never part of the error text.

    Parameters
    ----------
    value
        As read, without the padding NUL or blank.
    keyword
        The attribute, for the error.

    Raises
    ------
    IdentityError
        It is missing, longer than 64, or holds anything but digits and single dots.
    """
    if not value:
        raise IdentityError(f"{keyword} is missing")
    if len(value) > UID_LENGTH:
        raise IdentityError(f"{keyword} is longer than {UID_LENGTH} characters")
    if not _UID.fullmatch(value):
        raise IdentityError(f"{keyword} is no UID")
    conforming = not any(part[0] == "0" and len(part) > 1 for part in value.split("."))
    return value, conforming
