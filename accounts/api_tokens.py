"""Tokens for programs: made by a person, shown once, kept as a hash, ended at any time.

A token is a random word of 256 bits, so a plain SHA-256 keeps it: there is nothing to guess.
It lasts as long as the password with which its person logged in when it was made.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.audit import record_for_user
from accounts.grants import Grant
from accounts.models import ApiToken, Facility, User
from imaging.errors import ConflictError, NotAllowedError

PREFIX = "noctis_"
NAME_LENGTH = 100
MOST_TOKENS = 50
MOST_DAYS = 366
KEPT = timedelta(days=90)
_LOOKED_AT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks for."""

    name: str
    scope: str
    days: int
    facility: Facility | None = None


def make_token(user: User, wish: Wish, *, address: str = "") -> tuple[ApiToken, str]:
    """Return a new token and its word, which nobody can learn again.

    Raises
    ------
    NotAllowedError
        The credential that asks makes no others, or the facility is not the person's.
    ConflictError
        The person has as many good tokens as one may have.
    """
    if not user.grant.may_delegate:
        raise NotAllowedError("A token makes no other tokens.")
    facility = wish.facility
    if facility and not Facility.objects.visible_to(user).filter(pk=facility.pk).exists():
        raise NotAllowedError("Not a facility of yours.")
    word = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if find_tokens(user).filter(revoked_at=None, expires_at__gt=now).count() >= MOST_TOKENS:
            raise ConflictError("Too many tokens: revoke one that is not needed.")
        token = ApiToken.objects.create(
            user=user,
            name=wish.name,
            secret_hash=_hash(word),
            password_stamp=user.get_session_auth_hash(),
            scope=wish.scope,
            facility=facility,
            created_at=now,
            expires_at=now + timedelta(days=min(wish.days, MOST_DAYS)),
        )
        _tell(user, "token_made", token, address)
    return token, word


def find_tokens(user: User) -> models.QuerySet[ApiToken]:
    """Return the person's own tokens, newest first; those long over are left out."""
    recent = ApiToken.objects.filter(user=user, expires_at__gt=timezone.now() - KEPT)
    return recent.select_related("facility").order_by("-id")


def read_token(word: str, address: str = "") -> User | None:
    """Return the person whose good token this is, with its grant; None for any other word."""
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user", "facility")
        .filter(secret_hash=_hash(word), revoked_at=None, expires_at__gt=now)
        .first()
    )
    if token is None or not is_still_good(token.user, token.password_stamp):
        return None
    _note_use(token, address)
    user = token.user
    user.grant = Grant(
        name=token.name,
        may_write=token.scope == ApiToken.Scope.WRITE,
        may_delegate=False,
        facility_id=token.facility_id,
    )
    return user


def revoke_token(by: User, token: ApiToken, *, address: str = "") -> None:
    """End a token; safe to repeat."""
    with transaction.atomic():
        open_token = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
        if open_token.update(revoked_at=timezone.now()):
            _tell(by, "token_revoked", token, address)


def is_still_good(user: User, password_stamp: str) -> bool:
    """Whether the person is active and has the password of back then."""
    return user.is_active and constant_time_compare(password_stamp, user.get_session_auth_hash())


def forget_old() -> int:
    """Delete tokens that ended long ago; return how many. Safe to repeat."""
    return ApiToken.objects.filter(expires_at__lt=timezone.now() - KEPT).delete()[0]


def _note_use(token: ApiToken, address: str) -> None:
    """Write down when and where from, once a minute at most: reading stays reading."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _LOOKED_AT:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_address=address[:64])


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _tell(by: User, action: str, token: ApiToken, address: str) -> None:
    detail = {
        "name": token.name,
        "scope": token.scope,
        "of": token.user.get_username(),
        "expires": token.expires_at.isoformat(),
    }
    record_for_user(by, action, address=address, facility=token.facility, detail=detail)
