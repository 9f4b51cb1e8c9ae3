"""One run of one job, in a process of its own: the kind works, results are stored, the end is told.

The process is the worker's child (`reconstruction.running`): it may use much memory and time,
and be killed at any moment.
"""

from __future__ import annotations

import errno
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from archive import storage
from archive.ingest import Source, ingest_file
from archive.models import Instance, Series, Study
from imaging.errors import (
    BusyError,
    ConflictError,
    NoctisError,
    StorageUnavailableError,
    TransientError,
)
from reconstruction import turns
from reconstruction.kinds import KINDS, load_kind
from reconstruction.models import ReconstructionJob
from reconstruction.results import check_size, keep_files, remove_files, working_folder
from reconstruction.work import STORING_SHARE, JobCancelledError, Work

logger = logging.getLogger("noctis.reconstruction")

DOOR = "reconstruction"
LOOK_SECONDS = 0.25
TELL_SECONDS = 0.5
_FULL = {errno.ENOSPC, errno.EDQUOT}
Status = ReconstructionJob.Status


@dataclass
class _Stored:
    """How much of a new series is in the archive: what a run that ends badly must tell."""

    series_instance_uid: str = ""
    count: int = 0
    total: int = 0
    # From here on a disk that is full may have room again at the next attempt.
    has_begun: bool = False

    def told(self, words: str) -> str:
        """Return a reason with how far storing came."""
        if not self.count:
            return words
        part = _("%(count)d of %(total)d images are stored.")
        return f"{words} {part % {'count': self.count, 'total': self.total}}"

    def columns(self) -> dict[str, str]:
        """Return what the row keeps: which series is there in part."""
        return {"series_instance_uid": self.series_instance_uid} if self.count else {}


def run_job(key: uuid.UUID, claim: uuid.UUID) -> None:
    """Run a job that is held under this claim, and write how it ended. Safe to repeat."""
    jobs = ReconstructionJob.objects.held_by(key, claim)
    job = jobs.select_related("study", "requested_by").first()
    if job is None:
        return
    stored = _Stored()
    try:
        with working_folder(claim) as folder:
            _work(job, claim, folder, stored)
    except JobCancelledError:
        logger.info("reconstruction %s was stopped", key)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end_full(job, claim, stored, _("The disk is full."))
    except StorageUnavailableError as error:
        _end_full(job, claim, stored, str(error))
    except TransientError as error:
        turns.put_back(job, claim, stored.told(str(error)), **stored.columns())
    except (NoctisError, ValidationError) as error:
        turns.fail(job, claim, stored.told(_words(error)), **stored.columns())
    except MemoryError:
        turns.fail(job, claim, _("There is not enough memory for this."), **stored.columns())
    except DatabaseError as error:
        # The lease ends, and the job is taken up again.
        logger.warning("reconstruction %s lost the database: %s", key, type(error).__name__)


def run_safely(key: uuid.UUID, claim: uuid.UUID) -> None:
    """Run a job as `run_job`; what nobody foresaw is logged and fails the job."""
    try:
        run_job(key, claim)
    except Exception:
        logger.exception("reconstruction %s failed", key)
        job = ReconstructionJob.objects.select_related("study").filter(pk=key).first()
        if job is not None:
            turns.fail(job, claim, _("An unexpected error was logged."))


def _end_full(job: ReconstructionJob, claim: uuid.UUID, stored: _Stored, words: str) -> None:
    """End a run for which there is no room: what is half stored is worth another attempt."""
    end = turns.put_back if stored.has_begun or job.is_storing else turns.fail
    # A run that did not come to storing again knows no better than the one before.
    is_known = job.is_storing and not stored.has_begun and job.reason.startswith(words)
    end(job, claim, job.reason if is_known else stored.told(words), **stored.columns())


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        detail = error.detail
        return " ".join(str(one) for one in detail) if isinstance(detail, list) else str(detail)
    return str(error)


def _work(job: ReconstructionJob, claim: uuid.UUID, folder: Path, stored: _Stored) -> None:
    series = Series.objects.visible_to(job.requested_by).select_related("study__patient")
    source = series.filter(pk=job.series_id).first()
    if source is None:
        turns.fail(job, claim, _("The series is not there any more."))
        return
    if job.kind not in KINDS:
        turns.fail(job, claim, _("This kind of reconstruction is not installed."))
        return
    storage.check_reserve()
    kind = load_kind(job.kind)
    work = Work(
        series=source, person=job.requested_by, folder=folder, job_id=job.pk,
        asked_at=job.created_at, tell=_Teller(job, claim),
    )  # fmt: skip
    kind.run(work, kind.parse(job.parameters))
    _store(job, claim, work, stored)


class _Teller:
    """Tells the row how far the run is, now and then, and the run that it must end.

    Raises JobCancelledError when nobody wants it any more, StorageUnavailableError when the disk
    is full but for the archive's reserve.
    """

    def __init__(self, job: ReconstructionJob, claim: uuid.UUID) -> None:
        self._job, self._claim = job, claim
        self._next_look = self._next_tell = time.monotonic()

    def __call__(self, progress: float) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if not turns.is_held(self._job.pk, self._claim):
            raise JobCancelledError
        if progress <= 1.0 - STORING_SHARE:
            # What is being made must not take the room of what is being received.
            storage.check_reserve()
        if now >= self._next_tell and progress > self._job.progress:
            self._next_tell = now + TELL_SECONDS
            turns.tell_progress(self._job, self._claim, min(progress, 1.0))


# --- storing ----------------------------------------------------------------------------
def _store(job: ReconstructionJob, claim: uuid.UUID, work: Work, stored: _Stored) -> None:
    """Let the results come in; from here on the job cannot be cancelled, only repeated."""
    check_size(work.files)
    objects = _read_uids(work.dicom_paths)
    if len({series_uid for _uid, series_uid in objects}) > 1:
        raise ConflictError(_("The result is not one series."))
    if objects and not turns.begin_storing(job, claim):
        raise JobCancelledError
    stored.has_begun, stored.total = True, len(objects)
    _store_series(job, work, objects, stored)
    uid = stored.series_instance_uid
    made = job.study.series_set.filter(series_instance_uid=uid).first() if uid else None
    files = keep_files(job.pk, work.files)
    is_ours = turns.end(
        job, claim, Status.DONE, progress=1.0, reason="", series_instance_uid=uid, result=made,
        files=files,
        size_bytes=sum(one["size"] for one in files), is_storing=False, files_removed_at=None,
    )  # fmt: skip
    if not is_ours and not turns.is_done(job.pk):
        remove_files(job.pk)


def _store_series(
    job: ReconstructionJob, work: Work, objects: Sequence[tuple[str, str]], stored: _Stored
) -> None:
    """Store DICOM files by the one way in, and count them.

    An object that an earlier run has stored is left as it is.
    """
    here = set(
        Instance.objects.filter(
            study=job.study_id, sop_instance_uid__in=[uid for uid, _series in objects]
        ).values_list("sop_instance_uid", flat=True)
    )
    for path, (uid, series_uid) in zip(work.dicom_paths, objects, strict=True):
        stored.series_instance_uid = series_uid
        if uid not in here:
            _store_object(job, path)
        stored.count += 1
        work.tell(1.0 - STORING_SHARE * (1 - stored.count / len(objects)))


def _store_object(job: ReconstructionJob, path: Path) -> None:
    """Let one file into the study of the job, whosever that is by now."""
    source = Source(
        door=DOOR, sender=job.requested_by.get_username(), facility_id=_facility_of(job),
        user_id=job.requested_by_id,
    )  # fmt: skip
    with path.open("rb") as file:
        outcome = ingest_file(source, file)
    if outcome.status == "conflict":
        raise ConflictError(_("The result contradicts what is stored already."))
    if outcome.study_id != job.study_id:
        # It was given to a facility in this very moment.
        raise BusyError(_("The study is changing; it is tried again."))


def _facility_of(job: ReconstructionJob) -> uuid.UUID | None:
    """Return whose the study is now: a quarantined one may have been given to a facility.

    Waits for who is just moving it. Raises JobCancelledError when it is not there any more.
    """
    with transaction.atomic():
        study = Study.objects.select_for_update().filter(pk=job.study_id).first()
    if study is None:
        raise JobCancelledError
    return study.facility_id


def _read_uids(paths: Sequence[Path]) -> list[tuple[str, str]]:
    found = []
    for path in paths:
        tags = ["SOPInstanceUID", "SeriesInstanceUID"]
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        found.append((str(header.SOPInstanceUID), str(header.SeriesInstanceUID)))
    return found
