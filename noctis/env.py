"""Read settings from the environment, with errors in words.

Every variable that Noctis knows is read through these functions by
`noctis/settings.py`, and each has its line in `docs/settings.md`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def read_text(name: str, default: str = "") -> str:
    """Return the variable's text; unset and empty both give the default."""
    return os.environ.get(name, "").strip() or default


def read_int(name: str, default: int, *, minimum: int = 0) -> int:
    """Return the variable as a whole number of at least `minimum`."""
    text = read_text(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {value}.")
    return value


def read_bool(name: str, default: bool) -> bool:
    """Return the variable as a yes or no."""
    text = read_text(name).lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {text!r}.")


def read_list(name: str) -> list[str]:
    """Return the variable's comma-separated parts, without empty ones."""
    return [part.strip() for part in read_text(name).split(",") if part.strip()]


def read_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return the variable's text, which must be one of `choices`."""
    text = read_text(name, default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


def read_choices(name: str, known: tuple[str, ...]) -> list[str]:
    """Return the variable's comma-separated parts, each of `known`; all when unset, "none" none."""
    asked = read_list(name) or list(known)
    chosen = [] if asked == ["none"] else asked
    if not set(chosen) <= set(known):
        raise ImproperlyConfigured(f"{name} must be of {', '.join(known)}, or none.")
    return chosen


def read_address(name: str, default: str) -> tuple[str, int]:
    """Return (host, port) from `host:port`; `[::1]:104` is understood."""
    text = read_text(name, default)
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ImproperlyConfigured(f"{name} must look like 127.0.0.1:8000, not {text!r}.")
    return host, int(port)


def read_optional_address(name: str) -> tuple[str, int] | None:
    """Return (host, port), None when the variable is unset."""
    return read_address(name, "") if read_text(name) else None


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach the host."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def read_storage(name: str, media: Path) -> str:
    """Return where files lie: `file:` and an absolute path; `media` when unset."""
    text = read_text(name, f"file:{media}")
    scheme, _, path = text.partition(":")
    if scheme != "file":
        raise ImproperlyConfigured(
            f"{name} must begin with file: and a path; {scheme!r} storage is not supported."
        )
    if not Path(path).is_absolute():
        raise ImproperlyConfigured(f"{name} must name an absolute path, not {path!r}.")
    return text


def read_redis(name: str) -> str:
    """Return the address of Redis; empty when there is none."""
    text = read_text(name)
    if text and urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} must begin with redis://, rediss:// or unix://.")
    return text


def read_database(home: Path) -> dict[str, Any]:
    """Return Django's database settings from DATABASE_URL.

    Unset means SQLite in the home: WAL, `synchronous=FULL` (a commit is on
    the disk when it returns) and write transactions that take their turn
    at the start instead of failing in the middle. A turn is waited for less
    long than a sender waits for its answer, often 30 s.
    """
    text = read_text("DATABASE_URL")
    parts = urlsplit(text or f"sqlite:///{home / 'db.sqlite3'}")
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:] if parts.path.startswith("//") else parts.path),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 15,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                    "PRAGMA cache_size=-32000; PRAGMA wal_autocheckpoint=2000;"
                ),
            },
        }
    if parts.scheme in {"postgres", "postgresql"}:
        options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": options,
        }
    raise ImproperlyConfigured(
        "DATABASE_URL must begin with sqlite:/// or postgresql://; "
        f"{parts.scheme or 'nothing'!r} is not known."
    )
