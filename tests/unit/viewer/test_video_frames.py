"""Stored videos frame by frame: the pixels of another decoder, by any way to them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from accounts.models import Facility, User
from archive import video_frames
from archive.frames import read_frame
from archive.models import Instance
from archive.passport import make_passport
from archive.rendering import render_picture
from archive.stack import build_stack
from archive.thumbnails import make_thumbnail
from archive.video_frames import read_video_table, video_pool
from imaging.errors import MissingError, UndecodableError
from tests import factories
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_video import CLIP, H264, MPEG2, store_video

pytestmark = pytest.mark.django_db(transaction=True)

GOLDEN = Path(__file__).parents[2] / "golden" / "video"
HEVC, HEVC_10 = "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108"
# By file: transfer syntax, and how far levels may be from those of FFmpeg's own program. Its
# older release rounds 10 bits to 8 otherwise.
STREAMS = {
    "mpeg2.mpg": (MPEG2, 1),
    "mpeg2.ts": ("1.2.840.10008.1.2.4.101", 1),
    "h264.ts": ("1.2.840.10008.1.2.4.103", 1),
    "bare.h264": (H264, 1),
    "bare.hevc": (HEVC_10, 6),
    "hevc.mp4": (HEVC, 1),
}
FRAMES = 75


def store_golden(name: str, facility: Facility) -> Instance:
    """Store one of the golden streams; the header claims 20 frames."""
    return store_video((GOLDEN / name).read_bytes(), facility, syntax=STREAMS[name][0])


def number_of(pixels: np.ndarray) -> int:
    """Return which frame this is: red is three times its number, green what is left of 255."""
    red, green, _blue = pixels.reshape(-1, 3).mean(0)
    return round(float(red - green + 255) / 6)


def pixels_of(instance: Instance, frame: int) -> np.ndarray:
    return read_frame(instance, frame).to_array(48, 64)


@pytest.mark.parametrize("name", STREAMS)
def test_every_stream_gives_the_pixels_of_another_decoder(name: str, north: Facility) -> None:
    instance = store_golden(name, north)
    assert read_video_table(instance).frame_count == FRAMES
    # Back and forth: a frame is the same, however it is reached.
    for frame in (74, 0, 40):
        with Image.open(GOLDEN / f"{name}.{frame}.png") as picture:
            expected = np.asarray(picture.convert("RGB"))
        found = pixels_of(instance, frame)
        assert np.abs(found.astype(int) - expected).max() <= STREAMS[name][1]
    assert [number_of(pixels_of(instance, frame)) for frame in (47, 48, 49)] == [47, 48, 49]
    with pytest.raises(MissingError):
        read_frame(instance, FRAMES)


def test_a_container_that_wants_its_pictures_turned_gets_them_turned(north: Facility) -> None:
    """A matrix in the track's header (ISO/IEC 14496-12, 8.3.2): a quarter, clockwise."""
    stream = bytearray((GOLDEN / "hevc.mp4").read_bytes())
    place = stream.find(b"tkhd") + 44
    assert struct.unpack_from(">9i", stream, place) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", stream, place, 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    instance = store_video(bytes(stream), north, syntax=HEVC)
    shared = build_stack(instance.series)["shared"]
    assert (shared["rows"], shared["columns"]) == (64, 48)
    with Image.open(GOLDEN / "hevc.mp4.40.png") as picture:
        expected = np.rot90(np.asarray(picture.convert("RGB")), -1)
    found = read_frame(instance, 40).to_array(64, 48)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_stream_cut_at_its_start_begins_with_the_first_whole_picture(north: Facility) -> None:
    packets = (GOLDEN / "h264.ts").read_bytes()
    cut = packets[188 * 40 :]
    instance = store_video(cut, north, syntax=H264)
    count = read_video_table(instance).frame_count
    assert 20 < count < FRAMES
    first = FRAMES - count
    assert [number_of(pixels_of(instance, at)) for at in (count - 1, 0, 9)] == [
        FRAMES - 1, first, first + 9,
    ]  # fmt: skip


def test_frames_in_a_row_are_decoded_once(north: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is one request; the frames before it are kept on the way, so going back is free."""
    instance = store_golden("mpeg2.ts", north)
    monkeypatch.setattr(video_frames, "RUN_BYTES", 10 * 64 * 48 * 3)
    asked: list[int] = []
    ask = video_pool().ask

    def counted(request: dict[str, object], *rest: object, **named: object) -> object:
        asked.extend(request[name] for name in ("first",) if name in request)  # type: ignore[misc]
        return ask(request, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(video_pool(), "ask", counted)
    for frame in [*range(48), *reversed(range(70)), *range(48, 75)]:
        assert number_of(pixels_of(instance, frame)) == frame
    # Runs of ten; from 69 to the end, with all before it in its window; so from 57.
    assert asked == [0, 10, 20, 30, 40, 69, 57]


def test_the_stream_decides_and_the_difference_is_told(north: Facility) -> None:
    """The header claims 20 frames and says nothing of the pixels' shape."""
    instance = store_golden("mpeg2.mpg", north)
    stack = build_stack(instance.series)
    assert stack["videos"] == []
    assert [image["frame"] for image in stack["images"]] == list(range(FRAMES))
    shared = stack["shared"]
    assert shared["remark"] == "The file declares 20 frames; its video has 75."
    assert (shared["pixel_format"], shared["bytes"]) == ("rgb8", 64 * 48 * 3)
    assert shared["pixel_aspect_ratio"] == pytest.approx([3 / 4, 1])
    assert shared["lossy_image_compression"] == "01"  # which the header does not say
    assert shared["frame_time_ms"] == 100  # the file's own, before the stream's
    # Shown 16 to 9, as the stream says.
    rows, columns = render_picture(instance, 74).shape[:2]
    assert columns / rows == pytest.approx(16 / 9, rel=0.03)


def test_what_changes_its_size_is_refused_from_there_on(north: Facility) -> None:
    """A recorder that went on with wider pictures: refused in words, never squeezed or noise."""
    both = (GOLDEN / "bare.h264").read_bytes() + (GOLDEN / "wide.h264").read_bytes()
    instance = store_video(both, north)
    assert read_video_table(instance).frame_count == FRAMES + 5
    assert number_of(pixels_of(instance, 74)) == 74
    with pytest.raises(UndecodableError, match="changes its size"):
        read_frame(instance, 75)


def test_the_passport_says_that_frames_decode_or_why_not(north: Facility) -> None:
    good = make_passport(store_golden("mpeg2.ts", north).series_id)
    assert [(one["instance_frame"], one["decodes"]) for one in good["frames"]] == [
        (0, True), (37, True), (74, True),
    ]  # fmt: skip
    assert "75" in good["frames"][0]["reason"]
    bad = store_video(b"\0\0\1\xb3" + bytes(400), north, syntax=MPEG2)
    frames = make_passport(bad.series_id)["frames"]
    assert [(one["decodes"], one["reason"]) for one in frames] == [
        (False, "The video cannot be decoded.")
    ]
    assert "cannot_decode" in make_passport(bad.series_id)["badges"]


@pytest.mark.parametrize(
    ("stream", "syntax", "colour"),
    [
        # Frame 10 of 20, red 12 N: played by the browser, and no picture of its player.
        (CLIP, H264, (120, 135, 128)),
        # Frame 37 of 75, red 3 N.
        (GOLDEN / "mpeg2.ts", MPEG2, (111, 144, 118)),
        # The middle is black; frame 18, a quarter from the start, is the first that is not.
        (GOLDEN / "black.h264", H264, (200, 200, 200)),
    ],
)
def test_thumbnails_are_frames_and_not_black_ones(
    stream: Path, syntax: str, colour: tuple[int, int, int], north: Facility
) -> None:
    instance = store_video(stream.read_bytes(), north, syntax=syntax)
    with Image.open(io.BytesIO(make_thumbnail(instance.series_id))) as picture:
        found = np.asarray(picture.convert("RGB")).reshape(-1, 3).mean(0)
    assert np.abs(found - colour).max() < 6


def test_a_series_of_pictures_and_videos_shows_both(north: Facility) -> None:
    video = store_golden("h264.ts", north)
    still = factories.read_bundled(
        "CT_small.dcm", SeriesInstanceUID=video.series.series_instance_uid
    )
    still.StudyInstanceUID = video.study.study_instance_uid
    still.SOPInstanceUID, still.InstanceNumber = "1.2.3.4.99", 2
    picture = store(factories.as_part10(still), north)
    assert picture.series_id == video.series_id
    stack = build_stack(video.series)
    assert stack["videos"] == []
    owners = {image.get("instance_id") for image in stack["images"]}
    assert owners == {str(video.pk), str(picture.pk)}
    assert len(stack["images"]) == FRAMES + 1


def test_a_frame_behind_the_declared_ones_is_measured(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    instance = store_golden("mpeg2.ts", north)
    body = {
        "sop_instance_uid": instance.sop_instance_uid, "frame": 74, "kind": "length",
        "points_px": [[3, 3], [6, 7]],
    }  # fmt: skip
    client = client_of(rada)
    answer = client.post("/api/v1/measurements/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert (answer.json()["value"], answer.json()["unit"]) == (pytest.approx(5), "px")
    refused = client.post(
        "/api/v1/measurements/", {**body, "frame": 75}, content_type="application/json"
    )
    assert refused.status_code == 400
    picture = client.get(f"/api/v1/instances/{instance.pk}/frames/74/rendered.png")
    assert picture.status_code == 200
