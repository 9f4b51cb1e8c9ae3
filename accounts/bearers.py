"""Whose word is it: the credentials that a request carries in its `Authorization` header."""

from __future__ import annotations

from accounts import api_tokens, jwts
from accounts.models import User

REALM = 'Bearer realm="Noctis"'
# What is longer is no word of ours.
_LONGEST = 4096


def find_word(header: str) -> str | None:
    """Return the word of a Bearer header, None for any other header and none."""
    scheme, _, word = header.partition(" ")
    return word.strip() if scheme.lower() == "bearer" else None


def read_bearer(word: str, address: str = "") -> User | None:
    """Return the person whose good token this is, with its grant; None for any other word."""
    if len(word) > _LONGEST:
        return None
    if word.startswith(api_tokens.PREFIX):
        return api_tokens.read_token(word, address)
    return jwts.read_access(word)
