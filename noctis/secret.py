"""The secret key: from the environment, or made once and kept in the home."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from noctis import env


def read_secret_key(home: Path, *, required: bool) -> str:
    """Return NOCTIS_SECRET_KEY, or the home's own key, made on first use.

    Raises
    ------
    ImproperlyConfigured
        When `required` and the variable is unset or shorter than 50
        characters: a production server's key is set on purpose.
    """
    key = env.read_text("NOCTIS_SECRET_KEY")
    if key and (len(key) >= 50 or not required):
        return key
    if required:
        raise ImproperlyConfigured(
            "NOCTIS_SECRET_KEY must be set to at least 50 random characters in production."
        )
    path = home / "secret.key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return _make_key(path)
    except OSError:
        return secrets.token_urlsafe(50)


def _make_key(path: Path) -> str:
    """Write a new key that only this user can read; another process may win."""
    key = secrets.token_urlsafe(50)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key)
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text().strip()
        finally:
            draft.unlink()
    except OSError:
        # An unwritable home is reported by the command that needs it.
        return key
    return key
