"""One-time tickets: a program on somebody's desk opens one study, and nothing else.

A ticket lies in the address that a browser hands to the program, so it may be seen. It has to
be redeemed within two minutes, and whoever redeems it first is its owner: the machine that
redeemed it reads the study for half an hour, every other is refused, and one that tries ends
the ticket for both. It reads, of one study, and what its person may no longer see is gone.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.api_tokens import is_still_good
from accounts.audit import record_for_user
from accounts.grants import Grant
from accounts.models import User
from archive.models import Study
from viewer.launch_models import Launch

PREFIX = "noctis-ticket_"
REDEEM_SECONDS = 120
SESSION_SECONDS = 1800


def make_ticket(user: User, study: Study, program: str, *, address: str = "") -> str:
    """Return a new ticket for a study that the person sees; its word is nowhere else."""
    word = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    redeem_until = now + timedelta(seconds=REDEEM_SECONDS)
    with transaction.atomic():
        launch = Launch.objects.create(
            user=user,
            study=study,
            program=program,
            ticket_hash=_hash(word),
            password_stamp=user.get_session_auth_hash(),
            created_at=now,
            redeem_until=redeem_until,
            ends_at=redeem_until,
        )
        _tell(launch, "launch_made", address)
    return word


def read_ticket(word: str, address: str) -> User | None:
    """Return the person whose ticket this is, bound to its study; None for any other word.

    The first reading redeems it, for this address.
    """
    launch = _find(word)
    if launch is None:
        return None
    if launch.redeemed_at is None and _redeem(launch, address):
        return _as_reader(launch)
    launch.refresh_from_db()
    if launch.address != address:
        _refuse(launch, address)
        return None
    return _as_reader(launch)


def redeem_once(word: str, address: str) -> tuple[Launch, User] | None:
    """Return the launch and its person when nobody redeemed it before; a second time ends it."""
    launch = _find(word)
    if launch is None:
        return None
    if launch.redeemed_at is None and _redeem(launch, address):
        return launch, _as_reader(launch)
    _refuse(launch, address)
    return None


def forget_old() -> int:
    """Delete launches that are over; return how many. Safe to repeat."""
    return Launch.objects.filter(ends_at__lt=timezone.now()).delete()[0]


def _find(word: str) -> Launch | None:
    """Return the launch with this ticket while it is good."""
    launches = Launch.objects.select_related("user", "study__patient")
    now = timezone.now()
    launch = launches.filter(ticket_hash=_hash(word), ends_at__gt=now).first()
    if launch is None or not is_still_good(launch.user, launch.password_stamp):
        return None
    return launch


def _redeem(launch: Launch, address: str) -> bool:
    """Whether this call is the one that redeems."""
    now: datetime = timezone.now()
    with transaction.atomic():
        waiting = Launch.objects.filter(pk=launch.pk, redeemed_at=None, redeem_until__gt=now)
        is_first = waiting.update(
            redeemed_at=now,
            address=address[:64],
            ends_at=now + timedelta(seconds=SESSION_SECONDS),
        )
        if is_first:
            _tell(launch, "launch_redeemed", address)
    return bool(is_first)


def _refuse(launch: Launch, address: str) -> None:
    """End a ticket that a second one has."""
    with transaction.atomic():
        Launch.objects.filter(pk=launch.pk).update(ends_at=timezone.now())
        _tell(launch, "launch_reused", address, outcome="failure")


def _as_reader(launch: Launch) -> User:
    user = launch.user
    user.grant = Grant(
        name=launch.program, may_write=False, may_delegate=False, study_id=launch.study_id
    )
    return user


def _tell(launch: Launch, action: str, address: str, outcome: str = "success") -> None:
    study = launch.study
    record_for_user(
        launch.user,
        action,
        address=address,
        outcome=outcome,
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={"program": launch.program},
    )


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
