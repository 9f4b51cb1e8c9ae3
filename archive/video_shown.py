"""How a stored video is shown: played by the browser, as frames, or not, and why not."""

from __future__ import annotations

import copy
import time
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from archive.models import Instance
from archive.video import is_video, open_video
from archive.video_frames import read_video_table
from imaging.errors import NoctisError
from imaging.video import MP4, UNKNOWN
from imaging.video_table import VideoTable

# 8 bits, chroma halved both ways: what browsers decode of H.264.
_PLAYED_FORMATS = frozenset({"I420", "IYUV", "YV12"})
_DEFAULT_MS = 40.0
# A request for a series passes through videos that are new for so long.
_LOOK_SECONDS = 20.0
_COLOURS: dict[str, Any] = {
    "samples_per_pixel": 3,
    "photometric_interpretation": "RGB",
    "planar_configuration": 0,
    "bits_allocated": 8,
    "bits_stored": 8,
    "high_bit": 7,
    "pixel_representation": 0,
}


def as_shown(instance: Instance) -> Instance:
    """Return a copy of a video's row with the facts of its stream; other instances as they are.

    Number and size of the frames are claims of the header, which the stream may contradict.
    Never to be saved. Raises as `archive.video_frames.read_video_table`.
    """
    if not is_video(instance):
        return instance
    return with_table(instance, read_video_table(instance))


def with_table(instance: Instance, table: VideoTable, limit: int = 0) -> Instance:
    """Return a copy of a video's row with the facts of a table, of so many frames at most."""
    shown = copy.copy(instance)
    shown.rows, shown.columns = table.shape
    shown.number_of_frames = min(table.frame_count, limit or table.frame_count)
    shown.image = {**instance.image, **_facts(instance, table)}
    if remark := _remark(instance, table, shown.number_of_frames):
        shown.image["remark"] = remark
    return shown


class Videos:
    """The videos of one series, each with its table or with words why there is none."""

    def __init__(self, instances: list[Instance]) -> None:
        """Look at each; costs a pass through every stream that was never looked at."""
        self._tables: list[tuple[Instance, VideoTable | str]] = []
        deadline = time.monotonic() + _LOOK_SECONDS
        for one in sorted(
            instances, key=lambda one: (one.instance_number or 0, one.sop_instance_uid)
        ):
            self._tables.append((one, _look(one, deadline)))

    def __len__(self) -> int:
        return len(self._tables)

    def images(self, room: int, *, among_others: bool) -> list[Instance]:
        """Return what is shown frame by frame, together at most `room` frames.

        One that cannot be decoded has a place among others, where its frame says why; alone
        it has none, for then a player says so and offers the stored stream.
        """
        made: list[Instance] = []
        is_shown = among_others or any(
            isinstance(found, VideoTable) for _one, found in self._tables
        )
        for one, found in self._tables:
            if isinstance(found, VideoTable) and room > 0:
                made.append(with_table(one, found, room))
                room -= made[-1].number_of_frames
            elif is_shown:
                made.append(_as_words(one))
                room -= 1
        return made

    def for_a_player(self, *, has_others: bool) -> list[tuple[Instance, VideoTable | str]]:
        """Return the videos that the browser plays, and those of which it must say why not.

        Only where all of a series are such: what is mixed is shown frame by frame.
        """
        if has_others:
            return []
        tables = [found for _one, found in self._tables if isinstance(found, VideoTable)]
        if tables and not (len(tables) == len(self._tables) and all(map(is_played, tables))):
            return []
        return list(self._tables)


def _look(instance: Instance, deadline: float) -> VideoTable | str:
    if time.monotonic() > deadline:
        return _("This video is still to be examined: open the series again in a moment.")
    try:
        return read_video_table(instance)
    except NoctisError as error:
        return str(error)


def _as_words(instance: Instance) -> Instance:
    """Return a row with one frame, which says why there is none when it is asked for."""
    words = copy.copy(instance)
    words.rows = words.columns = words.number_of_frames = 1
    words.image = {**instance.image, **_COLOURS, "rows": 1, "columns": 1, **_address(instance)}
    return words


def is_played(table: VideoTable) -> bool:
    """Whether browsers play the stored stream: MP4 with H.264 of 8 bits, nearly everywhere."""
    is_common = table.codec == "h264" and table.pixel_format in _PLAYED_FORMATS
    return table.container == MP4 and is_common


def _facts(instance: Instance, table: VideoTable) -> dict[str, Any]:
    rows, columns = table.shape
    facts = {**_COLOURS, "rows": rows, "columns": columns, **_address(instance)}
    # No profile of PS3.6 keeps every value, whatever the header leaves out.
    facts["lossy_image_compression"] = "01"
    timed = ("frame_time_ms", "frame_time_vector_ms", "recommended_display_frame_rate", "cine_rate")
    if not any(instance.image.get(name) for name in timed):
        rate = table.frames_a_second
        facts["frame_time_ms"] = 1000 / rate if rate else _DEFAULT_MS
    has_shape = instance.image.get("pixel_aspect_ratio") or instance.image.get("pixel_spacing")
    if not has_shape and abs(table.sample_aspect - 1) > 1e-3:
        # Height to width of a pixel as it stands on the screen.
        is_turned = table.rotation in (90, 270)
        height = table.sample_aspect if is_turned else 1 / table.sample_aspect
        facts["pixel_aspect_ratio"] = [height, 1.0]
    return facts


def _address(instance: Instance) -> dict[str, Any]:
    return {"video_url": reverse("api:instance-video", args=[instance.pk])}


def _remark(instance: Instance, table: VideoTable, shown: int) -> str:
    """Return in words what the header says otherwise than the stream; empty when they agree."""
    words = []
    declared = instance.number_of_frames
    if declared != table.frame_count:
        words.append(
            _("The file declares %(declared)s frames; its video has %(found)s.")
            % {"declared": declared, "found": table.frame_count}
        )
    if shown < table.frame_count:
        words.append(_("Only the first %(shown)s frames are shown.") % {"shown": shown})
    rows, columns = table.shape
    if (instance.rows, instance.columns) != (rows, columns):
        words.append(
            _("The file declares %(declared)s pixels; its video has %(found)s.")
            % {
                "declared": f"{instance.columns} x {instance.rows}",
                "found": f"{columns} x {rows}",
            }
        )
    return " ".join(words)


def describe_video(instance: Instance, found: VideoTable | str) -> dict[str, Any]:
    """Return what the viewer needs to play a video, or to say why it is not shown."""
    content_type, why_not = UNKNOWN, "" if isinstance(found, VideoTable) else found
    try:
        stream = open_video(instance)
        content_type = stream.content_type
        stream.close()
    except NoctisError as error:
        why_not = str(error)
    else:
        if content_type == MP4:
            why_not = ""  # a browser may have a decoder that is missing here
    rate = found.frames_a_second if isinstance(found, VideoTable) else 0
    return {
        "instance_id": str(instance.pk),
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_number": instance.instance_number,
        "frame_time_ms": 1000 / rate if rate else instance.image.get("frame_time_ms"),
        "url": reverse("api:instance-video", args=[instance.pk]),
        "content_type": content_type,
        "why_not": why_not,
    }
