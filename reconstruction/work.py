"""What a kind of reconstruction is given to work with: the series, a folder, a way to tell."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from accounts.models import User
from archive.models import Series
from imaging.errors import BusyError
from reconstruction.volume_files import Volume
from reconstruction.volumes import open_volume

# Shares of the whole: building the volume (where it is not there yet), and storing the results.
VOLUME_SHARE = 0.3
STORING_SHARE = 0.1
LOOK_SECONDS = 0.2
FILES_LIMIT = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}(\.[a-z0-9]{1,8}){1,2}", re.ASCII)


class JobCancelledError(Exception):
    """Nobody wants the result any more; a kind lets it pass."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that can be downloaded, still in the folder of the work."""

    path: Path
    name: str
    media_type: str


def _nobody_listens(_progress: float) -> None:
    """Tell nobody: work outside a job."""


@dataclass(kw_only=True)
class Work:
    """One run of one job.

    `series` is the source with its study and patient; `person` asked; `folder` is private, lies
    on the archive's file system and is removed afterwards. `job_id` and `asked_at` are the same
    in every run of a job: what is made of them is the same again.
    """

    series: Series
    person: User
    folder: Path
    job_id: uuid.UUID = field(default_factory=uuid.uuid4)
    asked_at: datetime = field(default_factory=timezone.now)
    # Told the progress of the whole, 0 to 1; raises JobCancelledError. For who runs the job.
    tell: Callable[[float], None] = _nobody_listens
    files: list[KeptFile] = field(default_factory=list)
    dicom_paths: list[Path] = field(default_factory=list)
    _base: float = 0.0

    def open_volume(self, *, time_point: int = 0) -> Volume:
        """Return the volume of the series, built if need be; its progress counts as the job's.

        Raises as `reconstruction.volumes.open_volume`, and JobCancelledError.
        """
        is_built_here = False
        while True:
            try:
                volume = open_volume(self.series, time_point=time_point, wait_seconds=LOOK_SECONDS)
            except BusyError as error:
                if error.progress is None:
                    raise
                is_built_here = True
                self.tell(VOLUME_SHARE * error.progress)
                continue
            if is_built_here:
                self._base = max(self._base, VOLUME_SHARE)
            self.step(0.0)
            return volume

    def step(self, done: float) -> None:
        """Say how much of the kind's own work is done, 0 to 1; call it several times a second.

        Cheap: it looks into the database a few times a second at most. Raises
        JobCancelledError.
        """
        share = 1.0 - STORING_SHARE - self._base
        self.tell(self._base + share * min(max(done, 0.0), 1.0))

    def uid_of(self, *names: object) -> str:
        """Return the UID that this job gives to a thing: another for other names, never random.

        Such as `work.uid_of("series")` and `work.uid_of("instance", 12)`: a job that runs twice
        makes the same objects, not twins.
        """
        text = "/".join(str(name) for name in names)
        return f"2.25.{uuid.uuid5(self.job_id, text).int}"

    def keep_file(self, path: Path, name: str, media_type: str) -> None:
        """Offer a file of the folder as a result under a name: small letters, digits, `-`, `_`.

        Raises ValueError for another name, one that is taken, or a path outside the folder.
        """
        if not _NAME.fullmatch(name) or any(one.name == name for one in self.files):
            raise ValueError(f"{name!r} is no name for a result.")
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise ValueError("A result must lie in the folder of the work.")
        if len(self.files) >= FILES_LIMIT:
            raise ValueError("A job has too many files.")
        self.files.append(KeptFile(path, name, media_type))

    def keep_series(self, paths: Sequence[Path]) -> None:
        """Let DICOM files of one new series come into the archive, once `run` has ended.

        Their UIDs should come from `uid_of`. They become the facility's of the source.
        """
        self.dicom_paths += paths
