"""Passwords and tokens of peers: kept encrypted, never shown again.

The key is derived from the server's secret key: who has the database alone, or a backup of it,
cannot log in to other archives.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class SecretLostError(Exception):
    """The secret was kept under another key; it must be entered again."""


def seal(secret: str) -> str:
    """Return the secret encrypted, "" for none."""
    return _box().encrypt(secret.encode()).decode("ascii") if secret else ""


def unseal(sealed: str) -> str:
    """Return the secret. Raises SecretLostError when the server's key is another one now."""
    if not sealed:
        return ""
    try:
        return _box().decrypt(sealed.encode("ascii")).decode()
    except InvalidToken:
        raise SecretLostError from None


def _box() -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=b"noctis peers' secrets").derive(
        settings.SECRET_KEY.encode()
    )
    return Fernet(base64.urlsafe_b64encode(key))
