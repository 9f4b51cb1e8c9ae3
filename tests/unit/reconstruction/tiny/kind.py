"""Works in steps, fails, hangs or dies as it is told; its results are a text and a slice."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom
from django.conf import settings
from rest_framework.exceptions import ValidationError

from accounts.models import Facility
from archive import reconcile, storage
from imaging.errors import BusyError, UnsupportedError
from reconstruction.work import Work

_ERRORS = {
    "busy": BusyError("Much is going on."),
    "refuse": UnsupportedError("This cannot be made."),
    "crash": RuntimeError("Doe^Jane"),
    "full": OSError(errno.ENOSPC, "No space left on device"),
}


@dataclass(frozen=True)
class Wanted:
    steps: int
    pause_seconds: float
    then: str


def parse(parameters: Mapping[str, object]) -> Wanted:
    for name in parameters:
        if name not in ("steps", "pause_seconds", "then"):
            raise ValidationError(f"{name}: there is no such parameter.")
    steps, pause = parameters.get("steps", 1), parameters.get("pause_seconds", 0)
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= 10_000:
        raise ValidationError("steps: give a whole number from 1 to 10000.")
    if not isinstance(pause, int | float) or not 0 <= pause <= 600:
        raise ValidationError("pause_seconds: give a number from 0 to 600.")
    return Wanted(steps, float(pause), str(parameters.get("then", "")))


def run(work: Work, wanted: Wanted) -> None:
    for number in range(wanted.steps):
        work.step(number / wanted.steps)
        if wanted.pause_seconds == 600:
            (settings.NOCTIS_HOME / "asleep").touch()
        time.sleep(wanted.pause_seconds)
    if wanted.then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while wanted.then == "gate" and not (settings.NOCTIS_HOME / "go").exists():
        work.step(0.5)
        time.sleep(0.02)
    if wanted.then in _ERRORS:
        raise _ERRORS[wanted.then]
    if wanted.then == "fill":
        settings.NOCTIS_DISK_RESERVE_MB = 1 << 40
        time.sleep(0.3)
        work.step(0.9)
    if wanted.then == "build":
        work.open_volume()
    path = work.folder / "made.txt"
    path.write_text(f"{wanted.steps} steps")
    work.keep_file(path, "made.txt", "text/plain")
    _keep_images(work, wanted)


def _keep_images(work: Work, wanted: Wanted) -> None:
    if wanted.then in ("series", "move"):
        work.keep_series([_copy(work)])
    if wanted.then == "move":
        reconcile.assign_to_facility(work.series.study_id, Facility.objects.get(), work.person)
    if wanted.then in ("several", "fill_later"):
        work.keep_series([_copy(work, number) for number in range(3)])
    if wanted.then == "fill_later":
        _fill_behind_the_second(work)


def _fill_behind_the_second(work: Work) -> None:
    """Let the disk be full once two objects are stored."""
    tell = work.tell

    def listen(progress: float) -> None:
        tell(progress)
        if progress > 0.95:
            settings.NOCTIS_DISK_RESERVE_MB = 1 << 40

    work.tell = listen


def _copy(work: Work, number: int = 0) -> Path:
    """Return a slice of the source as an object of this job."""
    first = work.series.instances.order_by("instance_number")[number]
    dataset = pydicom.dcmread(storage.path_of(first.storage_key))
    dataset.SeriesInstanceUID = work.uid_of("series")
    dataset.SOPInstanceUID = work.uid_of("instance", number)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path = work.folder / f"slice{number}.dcm"
    dataset.save_as(path)
    return path
