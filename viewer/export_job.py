"""Exports that must be whole before they can be sent, made by a worker, with progress."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from archive import storage
from imaging.errors import NoctisError, TransientError, UnsupportedError
from imaging.film import write_gif, write_mp4
from viewer.export_form import GIF, MP4, PDF
from viewer.export_marks import Dresser
from viewer.export_models import Export
from viewer.export_pdf import write_pdf
from viewer.export_pictures import draw_pictures
from viewer.export_video import rate_of
from viewer.exports import KEPT, load_images, path_of

TELL_SECONDS = 0.5
_PREFIX = ".making-"


class _DeletedError(Exception):
    """Nobody wants the export any more."""


def run_export_job(key: str) -> None:
    """Make an export's file; safe to repeat. What cannot be made is told in the row."""
    export = Export.objects.filter(pk=key).select_related("study__patient", "created_by").first()
    if export is None or export.state in (Export.State.DONE, Export.State.FAILED):
        return
    if export.expires_at <= timezone.now():
        return
    _tell(export, state=Export.State.RUNNING, done_count=0)
    try:
        size_bytes = _make(export)
    except _DeletedError:
        return
    except TransientError:
        _tell(export, state=Export.State.WAITING)
        raise
    except NoctisError as error:
        _tell(export, state=Export.State.FAILED, problem=str(error)[:500])
    except Exception:
        _tell(export, state=Export.State.FAILED, problem=_("An unexpected error was logged."))
        raise
    else:
        count = len(export.images)
        if not _tell(export, state=Export.State.DONE, size_bytes=size_bytes, done_count=count):
            path_of(export.pk).unlink(missing_ok=True)


def _make(export: Export) -> int:
    """Write the file under another name first, so that a half one is never fetched."""
    target = path_of(export.pk)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(target.parent)
    storage.check_reserve()
    images = load_images(export)
    pictures = _counted(export, draw_pictures(export, Dresser(export), images))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_PREFIX) as folder:
        path = Path(folder) / f"export.{export.form}"
        if export.form == PDF:
            write_pdf(path, export, pictures)
        elif export.form in (MP4, GIF):
            rate = rate_of(images[0][0], export.wish.get("frames_per_second"))
            (write_mp4 if export.form == MP4 else write_gif)(path, pictures, rate)
        else:
            raise UnsupportedError("There is no such format.")
        path.replace(target)
    return target.stat().st_size


def _sweep(folder: Path) -> None:
    """Remove what workers left that died: files and half-made ones beyond their time."""
    oldest = time.time() - KEPT.total_seconds() - 3600
    for path in folder.iterdir():
        if path.lstat().st_mtime > oldest:
            continue
        if path.name.startswith(_PREFIX):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _counted(export: Export, pictures: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """Pass pictures on and tell how many there were, now and then; stop when nobody waits."""
    told = time.monotonic()
    for count, picture in enumerate(pictures, start=1):
        yield picture
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            if not _tell(export, done_count=count):
                raise _DeletedError


def _tell(export: Export, **columns: object) -> bool:
    """Write columns of the row; false when it is gone."""
    return Export.objects.filter(pk=export.pk).update(**columns) == 1
