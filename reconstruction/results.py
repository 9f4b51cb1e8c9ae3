"""Files that jobs make: where they lie, how many bytes they may take, when they go.

They lie on the archive's file system in `derived/`, in a folder a job, under names of hashes;
the row says what they are called. What a run works with lies in `derived/.work-…`.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from archive import storage
from imaging.errors import UnsupportedError
from reconstruction.models import ReconstructionJob
from reconstruction.work import KeptFile

logger = logging.getLogger("noctis.reconstruction")

# Rows tell for so long what was made; files go earlier.
HISTORY = timedelta(days=365)
# One job's files may take so many times less than those of all jobs.
JOB_SHARE = 4
_WORK, _NEW = ".work-", ".new-"
# A run that died leaves its folder; one whose claim nobody holds is not worked in any more.
_LEFT_OVER_SECONDS = {_WORK: 60, _NEW: 3600}


def root() -> Path:
    """Return the folder of all results."""
    return storage.root() / "derived"


def folder_of(key: uuid.UUID) -> Path:
    """Return the folder of a job's files."""
    return root() / hashlib.sha256(str(key).encode()).hexdigest()[:32]


def path_of(key: uuid.UUID, name: str) -> Path:
    """Return where the file of this name of a job lies."""
    return folder_of(key) / _hidden(name)


def _hidden(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@contextmanager
def working_folder(claim: uuid.UUID) -> Iterator[Path]:
    """Yield a private folder for one run, and remove it."""
    folder = _work_folder(claim)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        remove_work(claim)


def remove_work(claim: uuid.UUID) -> None:
    """Remove what a run left that could not do it itself."""
    shutil.rmtree(_work_folder(claim), ignore_errors=True)


def _work_folder(claim: uuid.UUID) -> Path:
    return root() / f"{_WORK}{claim.hex}"


def keep_files(key: uuid.UUID, files: Sequence[KeptFile]) -> list[dict[str, Any]]:
    """Move files into the job's folder, all or none; returns what the row says of them.

    What an earlier run kept is replaced. Raises as `check_size`, OSError when the disk is full.
    """
    check_size(files)
    kept: list[dict[str, Any]] = [
        {"name": one.name, "size": one.path.stat().st_size, "media_type": one.media_type}
        for one in files
    ]
    remove_files(key)
    if not kept:
        return kept
    new = root() / f"{_NEW}{key.hex}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    for one in files:
        one.path.rename(new / _hidden(one.name))
    new.rename(folder_of(key))
    return kept


def check_size(files: Sequence[KeptFile]) -> None:
    """Raise UnsupportedError when these files are more than those of one job may take."""
    size, limit = sum(one.path.stat().st_size for one in files), job_limit_bytes()
    if size > limit:
        raise UnsupportedError(
            _(
                "The files have %(size).1f MB; those of one job may have %(limit).1f MB. "
                "Ask for fewer or smaller pictures, or for a DICOM series; who runs Noctis can "
                "raise NOCTIS_RECONSTRUCTION_MB."
            )
            % {"size": size / 2**20, "limit": limit / 2**20}
        )


def remove_files(key: uuid.UUID) -> None:
    """Remove the files of a job."""
    shutil.rmtree(folder_of(key), ignore_errors=True)


def remove_with_row(*, instance: ReconstructionJob, **_signal: object) -> None:
    """Remove the files of a job whose row is deleted, once that is certain."""
    transaction.on_commit(partial(remove_files, instance.pk))


def limit_bytes() -> int:
    """Return what the files of all jobs may take."""
    return int(settings.NOCTIS_RECONSTRUCTION_MB) << 20


def job_limit_bytes() -> int:
    """Return what the files of one job may take: it must not push out everybody else's."""
    return limit_bytes() // JOB_SHARE


def kept_for() -> timedelta:
    """Return how long files are kept."""
    return timedelta(days=int(settings.NOCTIS_RECONSTRUCTION_DAYS))


# --- the broom --------------------------------------------------------------------------
def sweep() -> int:
    """Remove files whose time is over or that are too many, left-overs and very old rows.

    Safe to run at any time, by anyone; returns how many jobs lost their files.
    """
    now = timezone.now()
    with_files = ReconstructionJob.objects.filter(files_removed_at=None, size_bytes__gt=0)
    ended = with_files.filter(ended_at__isnull=False).order_by("ended_at", "pk")
    rows = list(ended.values_list("pk", "size_bytes", "ended_at"))
    total, count = sum(size for _key, size, _at in rows), 0
    for key, size, ended_at in rows:
        if ended_at is None or (ended_at >= now - kept_for() and total <= limit_bytes()):
            break
        total -= size
        if ended.filter(pk=key).update(files_removed_at=now):
            remove_files(key)
            count += 1
    old = ReconstructionJob.objects.filter(ended_at__lt=now - HISTORY)
    old.delete()
    _sweep_left_overs()
    if count:
        logger.info("the files of %d reconstructions were removed", count)
    return count


def _sweep_left_overs() -> None:
    """Remove what runs left that died, and folders whose row is gone."""
    known = None
    with suppress(FileNotFoundError):
        for path in list(root().iterdir()):
            is_work = path.name.startswith(_WORK)
            with suppress(FileNotFoundError):
                kept = _LEFT_OVER_SECONDS[_WORK if is_work else _NEW]
                if time.time() - path.stat().st_mtime < kept:
                    continue
            if is_work:
                is_used = ReconstructionJob.objects.filter(claim=_claim_of(path)).exists()
            else:
                known = known if known is not None else _known_folders()
                is_used = path.name in known
            if not is_used:
                shutil.rmtree(path, ignore_errors=True)


def _claim_of(path: Path) -> uuid.UUID | None:
    with suppress(ValueError):
        return uuid.UUID(path.name.removeprefix(_WORK))
    return uuid.UUID(int=0)


def _known_folders() -> set[str]:
    keys = ReconstructionJob.objects.filter(files_removed_at=None).values_list("pk", flat=True)
    return {folder_of(key).name for key in keys.iterator(2000)}
