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
from pathlib import Path

import pydicom
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from archive import storage
from archive.ingest import Source, ingest_file
from archive.models import Instance, Series
from archive.rows import in_facility
from imaging.errors import ConflictError, NoctisError, StorageUnavailableError, TransientError
from reconstruction import turns
from reconstruction.kinds import KINDS, load_kind
from reconstruction.models import ReconstructionJob
from reconstruction.results import keep_files, remove_files, working_folder
from reconstruction.work import STORING_SHARE, JobCancelledError, Work

logger = logging.getLogger("noctis.reconstruction")

DOOR = "reconstruction"
LOOK_SECONDS = 0.25
TELL_SECONDS = 0.5
_FULL = {errno.ENOSPC, errno.EDQUOT}
Status = ReconstructionJob.Status


def run_job(key: uuid.UUID, claim: uuid.UUID) -> None:
    """Run a job that is held under this claim, and write how it ended. Safe to repeat."""
    jobs = ReconstructionJob.objects.held_by(key, claim)
    job = jobs.select_related("study", "requested_by").first()
    if job is None:
        return
    try:
        with working_folder(claim) as folder:
            _work(job, claim, folder)
    except JobCancelledError:
        logger.info("reconstruction %s was stopped", key)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        turns.fail(job, claim, _("The disk is full."))
    except StorageUnavailableError as error:
        turns.fail(job, claim, str(error))
    except TransientError as error:
        turns.put_back(job, claim, str(error))
    except (NoctisError, ValidationError) as error:
        turns.fail(job, claim, _words(error))
    except MemoryError:
        turns.fail(job, claim, _("There is not enough memory for this."))
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


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        detail = error.detail
        return " ".join(str(one) for one in detail) if isinstance(detail, list) else str(detail)
    return str(error)


def _work(job: ReconstructionJob, claim: uuid.UUID, folder: Path) -> None:
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
    _store(job, claim, work)


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
def _store(job: ReconstructionJob, claim: uuid.UUID, work: Work) -> None:
    """Let the results come in; from here on the job cannot be cancelled, only repeated."""
    if work.dicom_paths and not turns.begin_storing(job, claim):
        raise JobCancelledError
    uid = _store_series(job, work)
    made = job.study.series_set.filter(series_instance_uid=uid).first() if uid else None
    files = keep_files(job.pk, work.files)
    is_ours = turns.end(
        job, claim, Status.DONE, progress=1.0, reason="", series_instance_uid=uid, result=made,
        files=files,
        size_bytes=sum(one["size"] for one in files), is_storing=False, files_removed_at=None,
    )  # fmt: skip
    if not is_ours and not turns.is_done(job.pk):
        remove_files(job.pk)


def _store_series(job: ReconstructionJob, work: Work) -> str:
    """Store DICOM files by the one way in; returns the new series' UID, empty without any.

    An object that an earlier run has stored is left as it is.
    """
    series_uids: set[str] = set()
    facility_id = work.series.facility_id
    objects = _read_uids(work.dicom_paths)
    known = in_facility(Instance.objects.all(), facility_id).filter(
        sop_instance_uid__in=[uid for uid, _series in objects]
    )
    here = set(known.values_list("sop_instance_uid", flat=True))
    source = Source(
        door=DOOR, sender=job.requested_by.get_username(), facility_id=facility_id,
        user_id=job.requested_by_id,
    )  # fmt: skip
    for number, (path, (uid, series_uid)) in enumerate(zip(work.dicom_paths, objects, strict=True)):
        series_uids.add(series_uid)
        if uid not in here:
            with path.open("rb") as file:
                outcome = ingest_file(source, file)
            if outcome.status == "conflict":
                raise ConflictError(_("The result contradicts what is stored already."))
        work.tell(1.0 - STORING_SHARE * (1 - (number + 1) / len(objects)))
    if len(series_uids) > 1:
        raise ConflictError(_("The result is not one series."))
    return series_uids.pop() if series_uids else ""


def _read_uids(paths: Sequence[Path]) -> list[tuple[str, str]]:
    found = []
    for path in paths:
        tags = ["SOPInstanceUID", "SeriesInstanceUID"]
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        found.append((str(header.SOPInstanceUID), str(header.SeriesInstanceUID)))
    return found
