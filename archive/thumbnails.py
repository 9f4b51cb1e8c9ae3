"""Thumbnails of series: derived, kept under hashed names, made again when they are gone.

A file's name carries how many images the series had, so that a thumbnail
of the first slices of a long series is made anew when the rest has come.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from pathlib import Path

import numpy as np
from django.utils import timezone

from archive import storage
from archive.caches import THUMBNAILS, Piece, caches, make_key
from archive.models import Instance, Series
from archive.rendering import Rendering, render_picture
from archive.stack import Stack, read_stack
from archive.video import is_video
from imaging.display import encode_jpeg
from imaging.errors import MissingError, PermanentError, UnsupportedError

logger = logging.getLogger("noctis.thumbnails")

SIZE_PX = 128
# A thumbnail stays while the series has at most this many times the images it had then.
GROWTH = 1.5
# Videos begin and end black: these places, as shares of the whole, are tried in turn.
VIDEO_PLACES = (0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875, 0.0)
# A video's frame with a lower mean, of 255, is taken for black.
BLACK = 8


def run_thumbnail_job(key: str) -> None:
    """Make the thumbnail of the series whose id is `key`; may run twice.

    A series that is gone or cannot be shown has none, which is no failure.
    """
    try:
        make_thumbnail(uuid.UUID(key))
    except PermanentError as reason:
        logger.info("series %s has no thumbnail: %s", key, reason)


def make_thumbnail(series_id: uuid.UUID) -> bytes:
    """Return the series' thumbnail as JPEG, made and stored unless a good one is there.

    Safe to repeat and to run at the same time. Raises `MissingError` for a
    series that is not there, `UnsupportedError` for one without pictures,
    and as `archive.rendering.render_picture`.
    """
    series = Series.objects.filter(pk=series_id).first()
    if series is None:
        raise MissingError("There is no such series.")
    stack = read_stack(series)
    if not len(stack):
        raise UnsupportedError("This series has no picture.")
    present = read_thumbnail(series)
    if present is not None and len(stack) <= _count_of(series.thumbnail_key) * GROWTH:
        return present
    content = encode_jpeg(_picture_of(stack))
    _keep(series, content, len(stack))
    return content


def _picture_of(stack: Stack) -> np.ndarray:
    """Return the middle image; where that is a video's black frame, the first that is not.

    Looked at are the middle, the quarters, the eighths and the beginning.
    """
    black: np.ndarray | None = None
    refusal: PermanentError | None = None
    for share in VIDEO_PLACES:
        instance_id, frame = stack.image(int(len(stack) * share))
        instance = Instance.objects.get(pk=instance_id)
        try:
            picture = render_picture(instance, frame, Rendering(longest_px=SIZE_PX))
        except PermanentError as error:
            if not is_video(instance):
                raise
            refusal = refusal or error
            continue
        if not is_video(instance) or picture.mean() > BLACK:
            return picture
        black = picture if black is None else black
    if black is None:
        raise refusal or UnsupportedError("This series has no picture.")
    return black


def read_thumbnail(series: Series) -> bytes | None:
    """Return the stored thumbnail, None when there is none."""
    if not series.thumbnail_key:
        return None
    key = make_key(THUMBNAILS, series.thumbnail_key, series.thumbnail_made_at)
    try:
        path = storage.path_of(series.thumbnail_key)
        path.stat()
        piece = caches().read(
            THUMBNAILS, key, lambda: Piece("jpeg", path.read_bytes(), is_costly=False)
        )
    except (OSError, MissingError):
        return None
    return bytes(piece.data)


def _keep(series: Series, content: bytes, image_count: int) -> None:
    """Store the file whole, then name it in the row, then drop the one before."""
    name = hashlib.sha256(series.pk.bytes).hexdigest()[:32]
    key = f"thumbnails/{name[:2]}/{name}-{image_count}.jpg"
    path = storage.path_of(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, content)
    except OSError as error:
        raise storage.trouble(error) from error
    Series.objects.filter(pk=series.pk).update(thumbnail_key=key, thumbnail_made_at=timezone.now())
    if series.thumbnail_key and series.thumbnail_key != key:
        storage.remove(series.thumbnail_key)


def _write_whole(path: Path, content: bytes) -> None:
    """Write under another name first: readers see the old file, the new one, never half of one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _count_of(thumbnail_key: str) -> int:
    count = thumbnail_key.removesuffix(".jpg").rpartition("-")[2]
    return int(count) if count.isdigit() else 0
