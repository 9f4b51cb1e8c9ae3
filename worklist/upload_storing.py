"""Uploads that are complete go into the archive, by a worker, with a verdict for each file.

A worker that dies leaves a lease that ends; the next one begins again, keeps the verdicts that
are there, and finds what is stored already as such.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from archive.events import publish_for
from archive.importing import Verdict, import_stream
from archive.ingest import Source
from imaging.errors import NoctisError, StorageUnavailableError, TransientError
from worklist.upload_models import Upload, UploadVerdict
from worklist.uploading import may_upload
from worklist.uploads import KEPT, State, path_of, remove_file

logger = logging.getLogger("noctis.uploads")

LEASE = timedelta(seconds=60)
ATTEMPTS_LIMIT = 5
LOOK_SECONDS = 1.0
TROUBLE_SECONDS = 5.0
EVENT = "upload"
_BATCH = 200
_BATCH_SECONDS = 2.0
_READ_BYTES = 1 << 20


class LostError(Exception):
    """The upload was deleted, or another worker has it."""


def drive(stopped: threading.Event) -> None:
    """Store complete uploads until stopped; a database that is down is asked again."""
    pause = 0.0
    while not stopped.wait(pause):
        try:
            close_old_connections()
            pause = 0.0 if store_next() else LOOK_SECONDS
        except DatabaseError as error:
            logger.warning("uploads not looked for: %s", type(error).__name__)
            pause = TROUBLE_SECONDS
    connections.close_all()


def store_next() -> bool:
    """Store the upload that waits longest; false when none does."""
    upload = _claim_next()
    if upload is None:
        return False
    try:
        _store(upload)
    except LostError:
        logger.info("upload %s was taken away", upload.pk)
    except TransientError as error:
        _put_back(upload, str(error))
    except Exception as error:
        logger.exception("upload %s", upload.pk)
        words = str(error) if isinstance(error, NoctisError) else _("It could not be stored.")
        _put_back(upload, words)
    return True


def _claim_next() -> Upload | None:
    now = timezone.now()
    due = Q(state=State.WAITING) & (Q(lease_until__isnull=True) | Q(lease_until__lt=now))
    fallen_silent = Q(state=State.STORING, lease_until__lt=now)
    for upload in Upload.objects.filter(due | fallen_silent).order_by("pk")[:8]:
        claim = uuid.uuid4()
        taken = Upload.objects.filter(
            pk=upload.pk, state=upload.state, claim=upload.claim, lease_until=upload.lease_until
        ).update(
            state=State.STORING,
            claim=claim,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
        )
        if taken:
            upload.refresh_from_db()
            return upload
    return None


def _store(upload: Upload) -> None:
    user = upload.created_by
    if upload.attempts > ATTEMPTS_LIMIT:
        _end(upload, State.FAILED, _("It could not be stored."))
        return
    if not may_upload(user):
        _end(upload, State.FAILED, _("Your role may not upload."))
        return
    source = Source(
        door="upload",
        sender=user.get_username(),
        facility_id=upload.facility_id,
        address=upload.address,
        user_id=user.pk,
    )
    try:
        with path_of(upload.pk).open("rb") as file:
            if upload.sha256 and _digest(upload, file) != upload.sha256:
                _end(upload, State.FAILED, _("The bytes are not those that were announced."))
                return
            file.seek(0)
            _keep_verdicts(upload, import_stream(source, file, upload.name))
    except FileNotFoundError:
        _end(upload, State.FAILED, _("Its bytes are not there any more."))
        return
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error
    _end(upload, State.DONE)


def _digest(upload: Upload, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    renewed = time.monotonic()
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
        if time.monotonic() - renewed > _BATCH_SECONDS:
            _write(upload, [])
            renewed = time.monotonic()
    return digest.hexdigest()


def _keep_verdicts(upload: Upload, verdicts: Iterator[Verdict]) -> None:
    """Write the verdicts as they come; each batch renews the lease and tells the pages."""
    kept = upload.file_count
    batch: list[UploadVerdict] = []
    written = time.monotonic()
    for number, verdict in enumerate(verdicts):
        if number >= kept:
            batch.append(_row(upload, number, verdict))
        is_late = time.monotonic() - written > _BATCH_SECONDS
        if len(batch) >= _BATCH or is_late:
            _write(upload, batch)
            batch, written = [], time.monotonic()
    _write(upload, batch)


def _row(upload: Upload, number: int, verdict: Verdict) -> UploadVerdict:
    return UploadVerdict(
        upload=upload,
        number=number,
        name=verdict.name,
        status=verdict.status,
        reason=verdict.reason[:1024],
        study_instance_uid=verdict.study_instance_uid,
        sop_instance_uid=verdict.sop_instance_uid,
    )


def _write(upload: Upload, batch: list[UploadVerdict]) -> None:
    counts = Counter(upload.counts)
    counts.update(row.status for row in batch)
    with transaction.atomic():
        held = Upload.objects.filter(pk=upload.pk, state=State.STORING, claim=upload.claim)
        is_held = held.update(
            lease_until=timezone.now() + LEASE,
            file_count=upload.file_count + len(batch),
            counts=dict(counts),
        )
        if not is_held:
            raise LostError
        UploadVerdict.objects.bulk_create(batch)
        if batch:
            _tell(upload, State.STORING, upload.file_count + len(batch))
    upload.counts, upload.file_count = dict(counts), upload.file_count + len(batch)


def _end(upload: Upload, state: str, reason: str = "") -> None:
    with transaction.atomic():
        held = Upload.objects.filter(pk=upload.pk, claim=upload.claim)
        is_held = held.update(
            state=state,
            reason=reason,
            claim=None,
            lease_until=None,
            expires_at=timezone.now() + KEPT,
        )
        if not is_held:
            raise LostError
        is_bad = state == State.FAILED or upload.counts.get("refused")
        record_for_user(
            upload.created_by,
            "upload",
            address=upload.address,
            outcome="failure" if is_bad else "success",
            facility_id=upload.facility_id,
            detail={"upload": str(upload.pk), "files": upload.file_count, **upload.counts},
        )
        _tell(upload, state, upload.file_count)
        transaction.on_commit(lambda: remove_file(upload.pk))


def _put_back(upload: Upload, reason: str) -> None:
    """Let the upload wait a while, longer each time; a last failure ends it."""
    try:
        if upload.attempts >= ATTEMPTS_LIMIT:
            _end(upload, State.FAILED, reason)
            return
    except LostError:
        return
    Upload.objects.filter(pk=upload.pk, claim=upload.claim).update(
        state=State.WAITING,
        claim=None,
        reason=reason[:1024],
        lease_until=timezone.now() + timedelta(seconds=2**upload.attempts),
    )


def _tell(upload: Upload, state: str, files: int) -> None:
    publish_for(EVENT, upload.facility_id, upload=str(upload.pk), state=str(state), files=files)
