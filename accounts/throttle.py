"""Slow down who guesses passwords, without shutting anybody out for good.

Failures are counted for a name at an address, for an address, and for a
name, in the database, so that every process counts together. Past a free
number of failures each further one doubles a delay, up to a cap; failures
are forgotten after a day. Every attempt is counted before the password is
looked at, so that guessing in parallel gains nothing, and attempts during a
delay are neither checked nor counted: nobody can lengthen another's delay
by trying on.

Who attacks a name from elsewhere cannot keep its owner out: from an address
where the name has logged in during the last 30 days only the failures of
that name at that address count. From a new address an owner under attack
waits half a minute at most.

Names and addresses are kept only as hashes. Whether a name exists makes no
difference here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.locks import take_turn
from accounts.models import LoginDelay

LOGIN_TURN = 7_303
FORGOTTEN_AFTER = timedelta(days=1)
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Rule:
    """How many failures are free, and the longest delay after them."""

    free: int
    cap: timedelta

    def read_delay(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures: 1, 2, 4, … seconds up to the cap."""
        beyond = failures - self.free
        if beyond < 0:
            return timedelta(0)
        return min(self.cap, timedelta(seconds=2 ** min(beyond, 20)))


PAIR = Rule(free=5, cap=timedelta(minutes=15))
ADDRESS = Rule(free=50, cap=timedelta(minutes=5))
NAME = Rule(free=20, cap=timedelta(seconds=30))


def begin_attempt(username: str, address: str) -> int:
    """Count an attempt that is about to be checked; return seconds to wait, 0 to go on.

    A positive answer means: do not look at the password. Costs a short
    transaction of its own.
    """
    now = timezone.now()
    with transaction.atomic():
        take_turn(LOGIN_TURN)
        rows = _read_rows(username, address)
        wait = _read_wait(rows, now)
        if not wait:
            for rule, key in _keys(username, address):
                row = rows.get(key) or LoginDelay(key=key)
                _count(row, rule, now)
                row.save()
    return wait


def read_wait(username: str, address: str) -> int:
    """Return how many seconds this name must wait at this address, 0 when it need not."""
    return _read_wait(_read_rows(username, address), timezone.now())


def end_attempt(username: str, address: str) -> None:
    """Note that the attempt was right: name and address know each other, counts are taken back."""
    now = timezone.now()
    with transaction.atomic():
        take_turn(LOGIN_TURN)
        (_, pair), (_, elsewhere), (_, name) = _keys(username, address)
        LoginDelay.objects.filter(key__in=[pair, name]).update(failures=0, blocked_until=None)
        LoginDelay.objects.filter(key=pair).update(succeeded_at=now)
        for row in LoginDelay.objects.filter(key=elsewhere, failures__gt=0):
            row.failures -= 1
            if row.failures < ADDRESS.free:
                row.blocked_until = None
            row.save()


def forget_old() -> int:
    """Delete what no longer counts; return how many rows went. Safe to repeat."""
    now = timezone.now()
    stale = LoginDelay.objects.filter(failed_at__lt=now - FORGOTTEN_AFTER).exclude(
        succeeded_at__gte=now - KNOWN_FOR
    )
    return stale.delete()[0]


def _keys(username: str, address: str) -> list[tuple[Rule, str]]:
    """Return the rules and the keys of their rows: the pair, the address, the name."""
    name = unicodedata.normalize("NFKC", username).casefold()[:150]
    place = _network(address)
    return [
        (PAIR, _hash("pair", name, place)),
        (ADDRESS, _hash("address", place)),
        (NAME, _hash("name", name)),
    ]


def _hash(*parts: str) -> str:
    secret = settings.SECRET_KEY.encode()
    return hashlib.blake2b("\x1f".join(parts).encode(), key=secret[:64], digest_size=32).hexdigest()


def _network(address: str) -> str:
    """Return the address; of IPv6 its /64, for one machine owns all of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _read_rows(username: str, address: str) -> dict[str, LoginDelay]:
    """Return the rows of this name and address, by key."""
    keys = [key for _, key in _keys(username, address)]
    return {row.key: row for row in LoginDelay.objects.filter(key__in=keys)}


def _read_wait(rows: dict[str, LoginDelay], now: datetime) -> int:
    """Return the seconds left; a name that is known at the address waits for the pair alone."""
    known = [row for row in rows.values() if _is_known(row, now)]
    ends = [row.blocked_until for row in known or rows.values() if row.blocked_until]
    left = max((end - now for end in ends), default=timedelta(0))
    return max(0, math.ceil(left.total_seconds()))


def _is_known(row: LoginDelay, now: datetime) -> bool:
    return row.succeeded_at is not None and row.succeeded_at >= now - KNOWN_FOR


def _count(row: LoginDelay, rule: Rule, now: datetime) -> None:
    """Add a failure to the row; old ones are forgotten first."""
    if row.failed_at is None or row.failed_at < now - FORGOTTEN_AFTER:
        row.failures = 0
    row.failures += 1
    row.failed_at = now
    delay = rule.read_delay(row.failures)
    row.blocked_until = now + delay if delay else None
