"""Exchanges with other archives: asked for, cancelled, tried again.

An exchange is a row, written before anything happens; `exchange_turns` says whose turn it is.
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
from archive.models import Series, Study
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


def find_destinations(user: User, study: Study) -> list[AnyPeer]:
    """Return the peers to which the person may send a study: those of its facility, by name.

    Administrators may send to any.
    """
    peers = Peer.objects.visible_to(user).filter(is_destination=True, port__isnull=False)
    web_peers = WebPeer.objects.visible_to(user).filter(is_destination=True)
    if not user.is_archive_admin:
        peers = peers.filter(facility=study.facility_id)
        web_peers = web_peers.filter(facility=study.facility_id)
    return sorted([*peers.exclude(host=""), *web_peers], key=lambda peer: str(peer).lower())


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
        The person has too many exchanges under way.
    ConflictError
        Somebody is importing it whose imports the person does not see.
    """
    row = Exchange(way=Exchange.Way.FETCH, facility_id=peer.facility_id, **facts)
    return _write(user, peer, row, address)


def ask_to_send(
    user: User, peer: WebPeer, study: Study, series: Series | None = None, *, address: str = ""
) -> Exchange:
    """Return what sends a study or series by DICOMweb; raises as `ask_for`."""
    row = Exchange(
        way=Exchange.Way.SEND,
        facility_id=study.facility_id,
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=series.series_instance_uid if series else "",
        patient_name=study.patient_name,
        patient_id=study.patient.patient_id,
        study_date=f"{study.study_date:%Y-%m-%d}" if study.study_date else "",
        modalities=series.modality if series else study.modalities,
        description=series.series_description if series else study.study_description,
        expected=series.instance_count if series else study.instance_count,
    )
    return _write(user, peer, row, address)


def _write(user: User, peer: AnyPeer, row: Exchange, address: str) -> Exchange:
    """Save the row, tell the trail and the pages, and wake a worker."""
    if not may_call_out(user):
        raise NotAllowedError(_("Your role may not exchange studies with other archives."))
    row.peer = peer if isinstance(peer, Peer) else None
    row.web_peer = peer if isinstance(peer, WebPeer) else None
    row.peer_name = str(peer)[:40]
    row.requested_by = user
    row.address = address[:64]
    row.wish = _digest(row, peer)
    row.created_at = row.due_at = timezone.now()
    try:
        with transaction.atomic():
            _check_limit(user)
            row.save(force_insert=True)
            _record(row, user, "requested", address)
            publish(row)
    except IntegrityError:
        known = Exchange.objects.visible_to(user).open().filter(wish=row.wish).first()
        if known is None:
            raise ConflictError(_("This is under way already.")) from None
        return known
    wake(IMPORTS)
    return row


def find_exchange(user: User, key: uuid.UUID) -> Exchange:
    """Return an exchange that the person may see. Raises MissingError."""
    found = Exchange.objects.visible_to(user).filter(pk=key).first()
    if found is None or not may_call_out(user):
        raise MissingError(_("There is no such exchange."))
    return found


def cancel(user: User, row: Exchange, *, address: str = "") -> None:
    """Stop an exchange; what has arrived stays. Raises ConflictError when it has ended."""
    with transaction.atomic():
        count = (
            Exchange.objects.open()
            .filter(pk=row.pk)
            .update(status=Status.CANCELLED, ended_at=timezone.now(), claim=None, lease_until=None)
        )
        row.refresh_from_db()
        if count:
            _record(row, user, "cancelled", address)
            publish(row)
    if not count:
        raise ConflictError(_("This has ended already."))


def retry(user: User, row: Exchange, *, address: str = "") -> None:
    """Let an exchange wait again that failed or was cancelled; what has arrived stays.

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
                _record(row, user, "retried", address)
                publish(row)
    except IntegrityError:
        raise ConflictError(_("The same is under way already.")) from None
    if not count:
        raise ConflictError(_("There is nothing to try again."))
    wake(IMPORTS)


def _check_limit(user: User) -> None:
    if Exchange.objects.open().filter(requested_by=user).count() >= OPEN_LIMIT:
        words = _("You have %(count)d exchanges under way; wait for some of them.")
        raise LimitExceededError(words % {"count": OPEN_LIMIT})


def _digest(row: Exchange, peer: AnyPeer) -> str:
    parts = (row.way, peer.pk, row.facility_id, row.study_instance_uid, row.series_instance_uid)
    return hashlib.sha256(" ".join(str(part) for part in parts).encode()).hexdigest()


def _record(row: Exchange, user: User, action: str, address: str) -> None:
    record_for_user(
        user,
        f"{'send' if row.way == Exchange.Way.SEND else 'import'}_{action}",
        address=address,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        study_instance_uid=row.study_instance_uid,
        detail={"peer": row.peer_name, "series": row.series_instance_uid, "exchange": str(row.pk)},
    )
