"""Transfers: asked for, cancelled, paused, tried again. A row first; a worker does the rest."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance, Study
from dicom_receiver.models import Peer
from dicom_receiver.outgoing import turns
from dicom_receiver.outgoing.models import Line, Transfer, TransferItem
from dicom_receiver.remote.access import may_call_out
from dicom_receiver.routing.models import RoutingRule
from dicom_receiver.tasks import TRANSFERS, wake
from imaging.errors import ConflictError, MissingError, NotAllowedError

# Of one person at one time; more would be a mistake.
OPEN_LIMIT = 1000
INSTANCES_LIMIT = 100_000
Status = Transfer.Status
State = TransferItem.State


def ask_to_send(
    user: User, peer: Peer, instances: QuerySet[Instance], *, address: str = ""
) -> list[Transfer]:
    """Return new transfers, one a study, that bring these instances to the peer.

    What is under way to the peer already is not asked for twice.

    Raises
    ------
    NotAllowedError
        The person's role may look only.
    MissingError
        There is no such instance, or none that the person may see.
    ConflictError
        All of it is on its way already, or there is too much of it.
    """
    if not may_call_out(user):
        raise NotAllowedError(_("Your role may not send to other archives."))
    visible = instances.filter(pk__in=Instance.objects.visible_to(user).values("pk"))
    by_study = _by_study(visible)
    if not by_study:
        raise MissingError(_("There is nothing to send."))
    with transaction.atomic():
        if Transfer.objects.open().filter(requested_by=user).count() >= OPEN_LIMIT:
            raise ConflictError(_("You have too many transfers under way."))
        made = [
            transfer
            for study_id, keys in by_study.items()
            if (transfer := write(peer, study_id, keys, why=Transfer.Why.BY_HAND, user=user))
        ]
        if not made:
            raise ConflictError(_("All of this is on its way already."))
        for transfer in made:
            _record(transfer, user, "transfer_requested", address)
        for transfer in made:
            turns.publish(transfer)
    wake(TRANSFERS)
    return made


def write(
    peer: Peer, study_id: uuid.UUID, instance_ids: Iterable[uuid.UUID], *, why: str,
    user: User | None = None, rule: RoutingRule | None = None, priority: int = 0,
) -> Transfer | None:  # fmt: skip
    """Write a transfer of one study's instances, or let a rule's that waits grow.

    None when all of them wait already.

    Must run inside a transaction; the caller publishes and wakes.
    """
    Line.objects.get_or_create(peer=peer)
    keys = list(dict.fromkeys(instance_ids))
    waiting = set(
        TransferItem.objects.filter(
            transfer__peer=peer, transfer__study=study_id, state=State.WAITING,
            transfer__status__in=[Status.QUEUED, Status.RUNNING],
        ).values_list("instance_id", flat=True)
    )  # fmt: skip
    keys = [key for key in keys if key not in waiting]
    if not keys:
        return None
    study = Study.objects.only("facility").get(pk=study_id)
    transfer = _find_growing(peer, study_id, rule, priority) if why == Transfer.Why.ROUTED else None
    now = timezone.now()
    transfer = transfer or Transfer.objects.create(
        facility_id=study.facility_id, study=study, peer=peer, why=why, rule=rule,
        requested_by=user, priority=priority, created_at=now, due_at=now,
        give_up_at=now + timedelta(hours=settings.NOCTIS_TRANSFER_HOURS),
    )  # fmt: skip
    TransferItem.objects.bulk_create(
        [TransferItem(transfer=transfer, instance_id=key) for key in keys],
        ignore_conflicts=True, batch_size=500,
    )  # fmt: skip
    needed = transfer.items.exclude(state=State.SKIPPED)
    totals = needed.aggregate(count=Count("pk"), size=Sum("instance__size_bytes"))
    transfer.instance_count, transfer.size_bytes = totals["count"], totals["size"] or 0
    transfer.save(update_fields=["instance_count", "size_bytes"])
    return transfer


def _find_growing(
    peer: Peer, study_id: uuid.UUID, rule: RoutingRule | None, priority: int
) -> Transfer | None:
    """Return the transfer of this study that waits for its turn: what still arrives joins it."""
    waiting = Transfer.objects.select_for_update(of=("self",)).filter(
        peer=peer, study=study_id, why=Transfer.Why.ROUTED, rule=rule, priority=priority,
        status=Status.QUEUED, claim=None, sent_count=0, attempts=0,
    )  # fmt: skip
    return waiting.order_by("id").last()


def _by_study(instances: QuerySet[Instance]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return the keys of instances by study, in the order in which they came."""
    rows = instances.order_by("study_id", "series_id", "instance_number", "id")
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    pairs = list(rows.values_list("study_id", "id")[: INSTANCES_LIMIT + 1])
    if len(pairs) > INSTANCES_LIMIT:
        raise ConflictError(_("These are too many images for one request."))
    for study_id, key in pairs:
        found[study_id].append(key)
    return found


# --- what can be done with one ---------------------------------------------------
def find_transfer(user: User, key: uuid.UUID) -> Transfer:
    """Return a transfer that the person may see. Raises MissingError."""
    visible = Transfer.objects.visible_to(user)
    found = visible.select_related("peer", "study__patient", "requested_by", "rule")
    transfer = found.filter(pk=key).first()
    if transfer is None:
        raise MissingError(_("There is no such transfer."))
    return transfer


def cancel(user: User, transfer: Transfer, *, address: str = "") -> None:
    """Stop a transfer; what the peer has got it keeps. A cancelled one stays as it is.

    Raises ConflictError when it has ended, NotAllowedError when the role may look only.
    """
    _check_role(user)
    with transaction.atomic():
        is_changed = Transfer.objects.open().filter(pk=transfer.pk).update(
            status=Status.CANCELLED, ended_at=timezone.now(), claim=None, lease_until=None
        )  # fmt: skip
        transfer.refresh_from_db()
        if is_changed:
            _record(transfer, user, "transfer_cancelled", address)
            turns.publish(transfer)
    if transfer.status != Status.CANCELLED:
        raise ConflictError(_("This transfer has ended already."))


def retry(user: User, transfer: Transfer, *, address: str = "") -> None:
    """Let a transfer that failed or was cancelled wait again; what was sent is not sent again.

    Raises ConflictError when there is nothing to try again, NotAllowedError as `cancel`.
    """
    _check_role(user)
    now = timezone.now()
    with transaction.atomic():
        ended = Transfer.objects.filter(
            pk=transfer.pk, status__in=[Status.FAILED, Status.CANCELLED]
        )
        is_changed = ended.update(
            status=Status.QUEUED, attempts=0, due_at=now, ended_at=None, reason="",
            failed_count=0, commitment=Transfer.Commitment.NOT_ASKED, is_paused=False,
            give_up_at=now + timedelta(hours=settings.NOCTIS_TRANSFER_HOURS),
        )  # fmt: skip
        if is_changed:
            failed = transfer.items.filter(state__in=[State.FAILED, State.WAITING])
            failed.update(state=State.WAITING, attempts=0, reason="", dimse_status=None)
            Line.objects.filter(pk=transfer.peer_id).update(retry_at=None)
            transfer.refresh_from_db()
            _record(transfer, user, "transfer_retried", address)
            turns.publish(transfer)
    if not is_changed:
        raise ConflictError(_("There is nothing to try again."))
    wake(TRANSFERS)


def pause(user: User, transfer: Transfer, *, is_paused: bool, address: str = "") -> None:
    """Let a transfer wait until somebody takes that back; raises as `cancel`."""
    _check_role(user)
    with transaction.atomic():
        open_rows = Transfer.objects.open().filter(pk=transfer.pk)
        if not open_rows.update(is_paused=is_paused):
            raise ConflictError(_("This transfer has ended already."))
        transfer.refresh_from_db()
        _record(transfer, user, "transfer_paused" if is_paused else "transfer_resumed", address)
        turns.publish(transfer)
    wake(TRANSFERS)


def pause_line(user: User, peer: Peer, *, is_paused: bool, address: str = "") -> Line:
    """Let all that goes to a peer wait, or go on; administrators alone may.

    Going on also forgets that the peer did not answer before. Raises NotAllowedError.
    """
    if not user.is_archive_admin:
        raise NotAllowedError(_("Only administrators pause a peer."))
    line = turns.line_of(peer)
    with transaction.atomic():
        line.is_paused = is_paused
        line.save(update_fields=["is_paused"])
        if not is_paused:
            Line.objects.filter(pk=line.pk).update(retry_at=None, failures=0)
        record_for_user(
            user, "peer_paused" if is_paused else "peer_resumed", address=address,
            facility_id=peer.facility_id, detail={"peer": peer.ae_title},
        )  # fmt: skip
    wake(TRANSFERS)
    return line


def count_by_peer(transfers: QuerySet[Transfer]) -> dict[uuid.UUID, dict[str, int]]:
    """Return how many transfers and instances are open for each peer."""
    rows = transfers.order_by().filter(status__in=Transfer.OPEN).values("peer_id")
    counted = rows.annotate(
        transfers=Count("pk"), instances=Sum("instance_count"), sent=Sum("sent_count")
    )
    return {
        row["peer_id"]: {
            "transfers": row["transfers"],
            "instances": row["instances"] - row["sent"],
        }
        for row in counted
    }


def _check_role(user: User) -> None:
    if not may_call_out(user):
        raise NotAllowedError(_("Your role may not send to other archives."))


def _record(transfer: Transfer, user: User, action: str, address: str) -> None:
    study = transfer.study
    record_for_user(
        user, action, address=address, facility_id=transfer.facility_id,
        patient_id=study.patient.patient_id, study_instance_uid=study.study_instance_uid,
        detail={
            "transfer": str(transfer.pk), "peer": transfer.peer.ae_title,
            "instances": transfer.instance_count,
        },
    )  # fmt: skip
