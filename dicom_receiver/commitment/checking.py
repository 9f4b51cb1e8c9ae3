"""Is what a peer wants kept really here? Every file is read again and hashed (PS3.4 Annex J)."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone

from archive import storage
from archive.access import VisibleQuerySet
from archive.models import Discrepancy, Instance
from archive.verify import digest_parts
from dicom_receiver.commitment.asking import record_end
from dicom_receiver.commitment.models import REASON_LENGTH, Commitment
from dicom_receiver.contexts import Service, find_service
from dicom_receiver.tasks import REPORTS, wake
from imaging.errors import MissingError, StorageUnavailableError

logger = logging.getLogger("noctis.dimse")

# Failure Reason (0008,1197), PS3.3 C.14.1.1.
PROCESSING_FAILURE = 0x0110
NO_SUCH_OBJECT_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
SOP_CLASS_NOT_SUPPORTED = 0x0122
DUPLICATE_TRANSACTION_UID = 0x0131
RESOURCE_LIMITATION = 0x0213

LEASE = timedelta(seconds=10)
# Others' turn comes after so long; what was found is written then.
SLICE_SECONDS = 2.0
INSTANCES_A_QUERY = 200
# A storage that does not answer is asked again, for about a quarter of an hour.
ATTEMPTS_LIMIT = 8
Status = Commitment.Status
RowT = TypeVar("RowT", bound=Model)


def check_next() -> bool:
    """Work a slice of time on the commitment that has waited longest; false when none is due."""
    row = _claim_next()
    if row is None:
        return False
    _work_on(row)
    return True


def check_now(key: uuid.UUID) -> None:
    """Work a slice of time on one commitment; nothing happens when a worker is at it."""
    now = timezone.now()
    mine = _free(now).filter(pk=key, status=Status.CHECKING)
    if mine.update(claim=uuid.uuid4(), lease_until=now + LEASE):
        _work_on(Commitment.objects.get(pk=key))


def _work_on(row: Commitment) -> None:
    try:
        is_done = _check_slice(row, time.monotonic() + SLICE_SECONDS)
    except StorageUnavailableError:
        _postpone(row)
    else:
        _note(row, is_done=is_done)


def _free(now: datetime) -> QuerySet[Commitment]:
    return Commitment.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now))


def _claim_next() -> Commitment | None:
    now = timezone.now()
    due = _free(now).filter(status=Status.CHECKING, due_at__lte=now)
    for row in due.order_by("due_at")[:4]:
        claim = uuid.uuid4()
        mine = _free(now).filter(pk=row.pk, status=Status.CHECKING)
        if mine.update(claim=claim, lease_until=now + LEASE):
            row.refresh_from_db()
            return row
    return None


def _check_slice(row: Commitment, until: float) -> bool:
    """Check references until the monotonic clock says so; whether none is left."""
    if row.is_repeat:
        _fail(row, range(row.instance_count), DUPLICATE_TRANSACTION_UID)
        return True
    while row.checked_count < row.instance_count:
        begin = row.checked_count
        pairs = row.references[begin : begin + INSTANCES_A_QUERY]
        known = _find(row, [uid for _, uid in pairs])
        unsettled = _find_unsettled(row, [uid for _, uid in pairs])
        for number, (class_uid, uid) in enumerate(pairs, start=begin):
            reason = _reason(class_uid, known.get(uid))
            if reason is None and uid in unsettled:
                reason = PROCESSING_FAILURE
            if reason is not None:
                _fail(row, [number], reason)
            row.checked_count = number + 1
            if time.monotonic() >= until:
                return row.checked_count == row.instance_count
    return True


def _find(row: Commitment, uids: list[str]) -> dict[str, Instance]:
    """Return the instances of the peer's own facility; what others have does not exist."""
    here = _theirs(row, Instance.objects.all()).filter(sop_instance_uid__in=uids)
    columns = "sop_instance_uid", "sop_class_uid", "storage_key", "dataset_offset"
    return {
        instance.sop_instance_uid: instance
        for instance in here.only(*columns, "dataset_sha256", "meta_sha256")
    }


def _theirs(row: Commitment, rows: VisibleQuerySet[RowT]) -> VisibleQuerySet[RowT]:
    """Return what the one who asked may see: a person's, or that of the peer's facility."""
    if row.user is None:
        return rows.in_facilities([row.facility_id])
    seen = rows.visible_to(row.user)
    return seen.in_facilities([row.facility_id]) if row.facility_id else seen


def _find_unsettled(row: Commitment, uids: list[str]) -> set[str]:
    """Return what this peer sent with other bytes than are stored: that is not kept as it is."""
    doubtful = _theirs(row, Discrepancy.objects.all()).filter(
        sender=row.actor,
        kind=Discrepancy.Kind.DUPLICATE_UID,
        resolved_at=None,
        sop_instance_uid__in=uids,
    )
    return set(doubtful.values_list("sop_instance_uid", flat=True))


def _reason(class_uid: str, instance: Instance | None) -> int | None:
    """Return why an instance cannot be promised, None when it can: its file was read whole."""
    if instance is None:
        accepts_private = settings.NOCTIS_PRIVATE_SOP_CLASSES == "accept"
        if find_service(class_uid, accept_private=accepts_private) is not Service.STORE:
            return SOP_CLASS_NOT_SUPPORTED
        return NO_SUCH_OBJECT_INSTANCE
    if instance.sop_class_uid != class_uid:
        return CLASS_INSTANCE_CONFLICT
    try:
        with storage.open_instance(instance.storage_key) as file:
            digests = digest_parts(file, instance.dataset_offset)
    except MissingError:
        logger.error("commitment: the file of instance %s is missing", instance.pk)
        return NO_SUCH_OBJECT_INSTANCE
    except OSError:
        logger.error("commitment: the file of instance %s cannot be read", instance.pk)
        return PROCESSING_FAILURE
    if digests != (instance.meta_sha256, instance.dataset_sha256):
        logger.error("commitment: the file of instance %s is damaged", instance.pk)
        return PROCESSING_FAILURE
    return None


def _fail(row: Commitment, numbers: Iterable[int], reason: int) -> None:
    row.failures.update({str(number): reason for number in numbers})


def _note(row: Commitment, *, is_done: bool) -> None:
    """Write how far the check is; the next slice, or the report, may begin."""
    now = timezone.now()
    columns: dict[str, object] = {"due_at": now}
    if is_done:
        # While its association may still be open, the report belongs there.
        due_at = max(now, row.held_until or now)
        columns = {
            # What was asked over HTTP is fetched there.
            "status": Status.REPORTED if row.user_id else Status.CHECKED, "checked_at": now,
            "due_at": due_at, "attempts": 0,
            "checked_count": row.instance_count,
        }  # fmt: skip
    Commitment.objects.filter(pk=row.pk, claim=row.claim).update(
        **{"checked_count": row.checked_count, **columns},
        failures=row.failures, claim=None, lease_until=None, reason="",
    )  # fmt: skip
    if is_done and row.user_id:
        record_end(row, "failure" if row.failures else "success")
    elif is_done:
        wake(REPORTS)


def _postpone(row: Commitment) -> None:
    """Try again later while the storage does not answer; in the end that is a failure, too."""
    if row.attempts + 1 >= ATTEMPTS_LIMIT:
        _fail(row, range(row.checked_count, row.instance_count), RESOURCE_LIMITATION)
        _note(row, is_done=True)
        return
    words = "The storage does not answer."
    Commitment.objects.filter(pk=row.pk, claim=row.claim).update(
        attempts=F("attempts") + 1,
        due_at=timezone.now() + timedelta(seconds=2 ** (row.attempts + 2)),
        checked_count=row.checked_count, failures=row.failures,
        claim=None, lease_until=None, reason=words[:REASON_LENGTH],
    )  # fmt: skip
