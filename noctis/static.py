"""How long browsers keep static files."""

from __future__ import annotations

import re
from wsgiref.headers import Headers

# Vite puts what carries the hash of its own content in its name into assets/.
_HASHED = re.compile(r"/assets/.+-[\w-]{8}\.\w+$")


def add_headers(headers: Headers, path: str, url: str) -> None:
    """Let browsers keep a hashed file for good: other content has another name."""
    if _HASHED.search(url):
        headers["Cache-Control"] = "max-age=315360000, public, immutable"
