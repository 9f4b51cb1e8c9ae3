"""Log-in by JSON Web Token (RFC 7519): a short access token, a refresh token used once.

Every log-in is a family with one row. A refresh token names its family and its generation,
and only the last generation is good: using it makes the next. An older one that comes back
means that two have the same token, so the whole family ends. Access tokens are asked of the
same row, so that an end, a new password or a deactivation holds from the next request on.

The algorithm is fixed, and the key is made from the house's secret for this purpose alone.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.api_tokens import is_still_good
from accounts.audit import record_for_user
from accounts.grants import Grant
from accounts.models import TokenFamily, User

ALGORITHM = "HS256"
ISSUER = "noctis"
ACCESS, REFRESH = "access", "refresh"
ACCESS_SECONDS = 300
REFRESH_SECONDS = 24 * 3600
FAMILY_DAYS = 14


@dataclass(frozen=True)
class Pair:
    """What a log-in and each refreshing give."""

    access: str
    refresh: str


def open_family(user: User, *, address: str = "") -> Pair:
    """Return the first tokens of a new log-in."""
    now = timezone.now()
    with transaction.atomic():
        family = TokenFamily.objects.create(
            user=user,
            password_stamp=user.get_session_auth_hash(),
            created_at=now,
            expires_at=now + timedelta(days=FAMILY_DAYS),
        )
        record_for_user(user, "login", address=address, detail={"by": "JWT"})
    return _make_pair(family, 0)


def rotate(refresh: str, *, address: str = "") -> Pair | None:
    """Return the next tokens; None for a token that is not good, and the end of its family
    when it was good once.
    """
    claims = _read(refresh, REFRESH)
    if claims is None:
        return None
    asked = TokenFamily.objects.filter(pk=claims["fam"], revoked_at=None)
    turn = asked.filter(generation=claims["gen"], expires_at__gt=timezone.now())
    is_last = turn.update(generation=claims["gen"] + 1) == 1
    family = asked.select_related("user").first()
    if family is None:
        return None
    if not is_last:
        if claims["gen"] < family.generation:
            _end(family, "token_reused", address, outcome="failure")
        return None
    if not is_still_good(family.user, family.password_stamp):
        return None
    return _make_pair(family, claims["gen"] + 1)


def read_access(word: str) -> User | None:
    """Return the person whose good access token this is; None for any other word."""
    claims = _read(word, ACCESS)
    if claims is None:
        return None
    families = TokenFamily.objects.select_related("user")
    family = families.filter(pk=claims["fam"], revoked_at=None).first()
    if family is None or not is_still_good(family.user, family.password_stamp):
        return None
    family.user.grant = Grant(name="JWT")
    return family.user


def close_family(refresh: str, *, address: str = "") -> None:
    """End the log-in of which a refresh token came, whichever generation; safe to repeat."""
    claims = _read(refresh, REFRESH)
    families = TokenFamily.objects.select_related("user")
    family = families.filter(pk=claims["fam"], revoked_at=None).first() if claims else None
    if family is not None:
        _end(family, "logout", address)


def forget_old() -> int:
    """Delete log-ins whose last token has expired; return how many. Safe to repeat."""
    last = timezone.now() - timedelta(seconds=REFRESH_SECONDS)
    return TokenFamily.objects.filter(expires_at__lt=last).delete()[0]


def _end(family: TokenFamily, action: str, address: str, outcome: str = "success") -> None:
    with transaction.atomic():
        still_open = TokenFamily.objects.filter(pk=family.pk, revoked_at=None)
        if still_open.update(revoked_at=timezone.now()):
            record_for_user(
                family.user, action, address=address, outcome=outcome, detail={"by": "JWT"}
            )


# --- the words ---------------------------------------------------------------------
def _make_pair(family: TokenFamily, generation: int) -> Pair:
    return Pair(
        access=_write(family, ACCESS, ACCESS_SECONDS),
        refresh=_write(family, REFRESH, REFRESH_SECONDS, gen=generation),
    )


def _write(family: TokenFamily, kind: str, seconds: int, **also: Any) -> str:
    now = timezone.now()
    ends = min(now + timedelta(seconds=seconds), family.expires_at)
    claims = {
        "iss": ISSUER,
        "sub": str(family.user_id),
        "fam": str(family.pk),
        "typ": kind,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": ends,
        **also,
    }
    return jwt.encode(claims, _key(), algorithm=ALGORITHM)


def _read(word: str, kind: str) -> dict[str, Any] | None:
    """Return the claims of a token of this kind that is ours and not over, None otherwise."""
    required = ["iss", "sub", "fam", "typ", "iat", "exp"]
    try:
        claims: dict[str, Any] = jwt.decode(
            word, _key(), algorithms=[ALGORITHM], issuer=ISSUER, options={"require": required}
        )
        uuid.UUID(claims["fam"])
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
        return None
    is_whole = kind == ACCESS or isinstance(claims.get("gen"), int)
    return claims if claims["typ"] == kind and is_whole else None


def _key() -> bytes:
    """Return the key of signatures: of the house's secret, and of no other use."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"noctis json web tokens", "sha256")
