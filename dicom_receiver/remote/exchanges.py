"""Imports from other archives: asked for, cancelled, tried again.

An import is a row, written before anything happens; `exchange_turns` says whose turn it is.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import User
from dicom_receiver.models import Peer
from dicom_receiver.remote.access import may_call_out
from dicom_receiver.remote.exchange_turns import publish
from dicom_receiver.remote.models import Exchange, WebPeer
from dicom_receiver.tasks import IMPORTS, wake
from imaging.errors import ConflictError, LimitExceededError, MissingError, NotAllowedError

OPEN_LIMIT = 100
Status = Exchange.Status
AnyPeer = Peer | WebPeer


def find_queryable(user: User) -> list[AnyPeer]:
    """Return the peers that the person may query and import from, by name."""
    peers = Peer.objects.visible_to(user).filter(is_queried=True, port__isnull=False)
    peers = peers.exclude(host="").select_related("facility")
    web_peers = WebPeer.objects.visible_to(user).filter(is_queried=True).select_related("facility")
    return sorted([*peers, *web_peers], key=lambda peer: str(peer).lower())


def find_peer(user: User, key: str) -> AnyPeer:
    """Return one of these by its key. Raises MissingError."""
    found = next((peer for peer in find_queryable(user) if str(peer.pk) == key), None)
    if found is None:
        raise MissingError(_("There is no such peer."))
    return found


def ask_for(user: User, peer: AnyPeer, facts: dict[str, Any], *, address: str = "") -> Exchange:
    """Return the import of a study or series; one that is under way already is the same.

    `facts` are columns of the row: the UIDs, what is known of patient and study, `expected`.

    Raises
    ------
    NotAllowedError
        The person's role may not import.
    LimitExceededError
        The person has too many imports under way.
    """
    if not may_call_out(user):
        raise NotAllowedError(_("Your role may not import from other archives."))
    wish = _digest(peer, facts["study_instance_uid"], facts.get("series_instance_uid", ""))
    now = timezone.now()
    row = Exchange(
        facility_id=peer.facility_id,
        peer=peer if isinstance(peer, Peer) else None,
        web_peer=peer if isinstance(peer, WebPeer) else None,
        peer_name=str(peer)[:40],
        requested_by=user,
        wish=wish,
        address=address[:64],
        created_at=now,
        due_at=now,
        **facts,
    )
    try:
        with transaction.atomic():
            _check_limit(user)
            row.save(force_insert=True)
            _record(row, user, "import_requested", address)
            publish(row)
    except IntegrityError:
        known = Exchange.objects.visible_to(user).open().filter(wish=wish).first()
        if known is None:
            raise ConflictError(_("This is being imported already.")) from None
        return known
    wake(IMPORTS)
    return row


def find_exchange(user: User, key: uuid.UUID) -> Exchange:
    """Return an import that the person may see. Raises MissingError."""
    found = Exchange.objects.visible_to(user).filter(pk=key).first()
    if found is None or not may_call_out(user):
        raise MissingError(_("There is no such import."))
    return found


def cancel(user: User, row: Exchange, *, address: str = "") -> None:
    """Stop an import; what has come in stays. Raises ConflictError when it has ended."""
    with transaction.atomic():
        count = (
            Exchange.objects.open()
            .filter(pk=row.pk)
            .update(status=Status.CANCELLED, ended_at=timezone.now(), claim=None, lease_until=None)
        )
        row.refresh_from_db()
        if count:
            _record(row, user, "import_cancelled", address)
            publish(row)
    if not count:
        raise ConflictError(_("This import has ended already."))


def retry(user: User, row: Exchange, *, address: str = "") -> None:
    """Let an import wait again that failed or was cancelled; what is here stays.

    Raises ConflictError when there is nothing to try again, LimitExceededError as `ask_for`.
    """
    ended = Exchange.objects.filter(pk=row.pk, status__in=[Status.FAILED, Status.CANCELLED])
    try:
        with transaction.atomic():
            _check_limit(user)
            count = ended.update(
                status=Status.QUEUED, attempts=0, due_at=timezone.now(), reason="", ended_at=None,
                done=0, failed=0,
            )  # fmt: skip
            row.refresh_from_db()
            if count:
                _record(row, user, "import_retried", address)
                publish(row)
    except IntegrityError:
        raise ConflictError(_("The same is under way already.")) from None
    if not count:
        raise ConflictError(_("There is nothing to try again."))
    wake(IMPORTS)


def _check_limit(user: User) -> None:
    if Exchange.objects.open().filter(requested_by=user).count() >= OPEN_LIMIT:
        words = _("You have %(count)d imports under way; wait for some of them.")
        raise LimitExceededError(words % {"count": OPEN_LIMIT})


def _digest(peer: AnyPeer, study_uid: str, series_uid: str) -> str:
    return hashlib.sha256(f"{peer.pk} {study_uid} {series_uid}".encode()).hexdigest()


def _record(row: Exchange, user: User, action: str, address: str) -> None:
    record_for_user(
        user,
        action,
        address=address,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        study_instance_uid=row.study_instance_uid,
        detail={"peer": row.peer_name, "series": row.series_instance_uid, "import": str(row.pk)},
    )
