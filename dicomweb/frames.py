"""WADO-RS: frames of an instance, uncompressed or as codestreams (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from archive.frame_bytes import StoredFrames
from archive.models import Instance
from archive.video import is_video, open_video
from archive.viewing import ensure_viewing_recorded
from dicomweb.media_types import Wish
from dicomweb.multipart import OutPart, length_of_parts, new_boundary, related, write_parts
from dicomweb.ranges import answer_range
from dicomweb.rendered_targets import parse_frames
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import answer_pieces
from dicomweb.syntaxes import ANY, EXPLICIT, UNSAID, can_compress
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    find_instance,
    keep_private,
    make_etag,
)
from imaging.encoders import ENCODED
from imaging.errors import UndecodableError
from imaging.pixels import SHOWN_SYNTAXES
from viewer.compression import Coding, choose_coding, is_near

OCTETS = "application/octet-stream"
_J = "1.2.840.10008.1.2.4."
# Table 8.7.3-5: what each media type may hold; the first is meant when none is said.
SYNTAXES_OF = {
    "image/jpeg": (f"{_J}70", f"{_J}50", f"{_J}51", f"{_J}57"),
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
    "image/jls": (f"{_J}80", f"{_J}81"),
    "image/jp2": (f"{_J}90", f"{_J}91"),
    "image/jpx": (f"{_J}92", f"{_J}93"),
    "image/jphc": (f"{_J}201", f"{_J}202", f"{_J}203"),
    "image/jxl": (f"{_J}110", f"{_J}111", f"{_J}112"),
    "video/mpeg2": tuple(f"{_J}{number}{suffix}" for number in (100, 101) for suffix in ("", ".1")),
    "video/mp4": tuple(
        f"{_J}{number}{suffix}" for number in range(102, 109) for suffix in ("", ".1")
    ),
}  # fmt: skip
_TYPE_OF = {syntax: kind for kind, syntaxes in SYNTAXES_OF.items() for syntax in syntaxes}


@dataclass(frozen=True)
class Form:
    """How frames leave: media type of a part, transfer syntax, whether the answer has parts."""

    kind: str
    syntax: str
    is_multipart: bool

    @property
    def content_type(self) -> str:
        """The Content-Type of one frame."""
        return f"{self.kind}; transfer-syntax={self.syntax}"


class FramesView(RetrievingView):
    """Frames of an instance, counted from 1, in the order of the list."""

    def get(self, request: Request, frames: str, **uids: str) -> HttpResponseBase:
        """Send the frames as parts of one body; a single one also alone."""
        instance = find_instance(request, uids)
        wanted = parse_frames(frames, max(instance.number_of_frames, 0))
        form = choose_form(instance, self.wishes(), is_one=len(wanted) == 1)
        ensure_viewing_recorded(request._request, instance.study_id)
        coding = pixel_coding(request) if form.syntax == EXPLICIT else None
        name = coding.name if coding else ""
        etag = make_etag([instance.dataset_sha256, instance.facts_version, frames, form, name])
        if not form.is_multipart:
            etag = etag.removeprefix("W/")
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        if is_video(instance):
            return keep_private(send_video(request, instance, form, etag), etag)
        return keep_private(send_frames(request, instance, wanted, form, coding), etag)


def choose_form(instance: Instance, wishes: Sequence[Wish], *, is_one: bool) -> Form:
    """Return how frames of an instance leave; raises NotAcceptable when no wish can be met.

    Uncompressed when all is welcome (Table 8.7.3-4), but for what cannot be decoded here.
    """
    for wish in wishes:
        if wish.is_multipart is False and not is_one:
            continue
        found = _meet(instance, wish)
        if found:
            return Form(*found, is_multipart=wish.is_multipart is not False)
    raise NotAcceptable


def _meet(instance: Instance, wish: Wish) -> tuple[str, str] | None:
    stored = instance.transfer_syntax_uid
    own = _TYPE_OF.get(stored)
    if own and wish.kind not in {"*/*", "application/*"}:
        # As it is stored, wherever that is welcome.
        if wish.takes(own) and wish.syntax in {UNSAID, ANY, stored}:
            return own, stored
        if wish.kind == OCTETS and wish.syntax in {ANY, stored}:
            return OCTETS, stored
    can_be_plain = stored in SHOWN_SYNTAXES
    if wish.takes(OCTETS):
        if can_be_plain and wish.syntax in {UNSAID, ANY, EXPLICIT}:
            return OCTETS, EXPLICIT
        if own and wish.takes(own) and wish.syntax in {UNSAID, ANY, stored}:
            return own, stored
    if not can_be_plain:
        return None
    return _encode(instance, wish)


def _encode(instance: Instance, wish: Wish) -> tuple[str, str] | None:
    """Return the codestream that a wish is for, if frames can be made into it."""
    for syntax in ENCODED:
        kind = _TYPE_OF[syntax]
        is_wanted = wish.syntax == syntax or (
            wish.syntax in {UNSAID, ANY} and SYNTAXES_OF[kind][0] == syntax
        )
        may_be = wish.kind == OCTETS and wish.syntax == syntax
        if is_wanted and (wish.takes(kind) or may_be) and can_compress(instance):
            return (OCTETS if may_be else kind), syntax
    return None


def pixel_coding(request: Request) -> Coding | None:
    """Return a coding for uncompressed pixels: the one that costs less than it saves, or none."""
    near = is_near(request.META)
    coding = choose_coding(request.headers.get("Accept-Encoding", ""), is_near=near)
    return coding if coding.name == "zstd" else None


# --- answers -------------------------------------------------------------------------------------
def send_frames(
    request: Request,
    instance: Instance,
    wanted: Sequence[int],
    form: Form,
    coding: Coding | None,
) -> HttpResponseBase:
    """Answer with frames; they are read and made while the answer leaves."""
    frames = StoredFrames(instance)
    try:
        read = _reader(frames, form)
        first = read(wanted[0])
    except BaseException:
        frames.close()
        raise
    if not form.is_multipart:
        return answer_pieces(
            request, iter([first]), form.content_type, length=len(first), coding=coding,
            then=frames.close,
        )  # fmt: skip
    boundary = new_boundary()
    is_plain = form.syntax == EXPLICIT
    length = length_of_parts(
        (OutPart(form.content_type, [], length=len(first)) for _ in wanted), boundary
    )
    parts = _parts(read, wanted, form, first)
    return answer_pieces(
        request,
        write_parts(parts, boundary),
        related(form.kind, boundary),
        length=length if is_plain or len(wanted) == 1 else None,
        coding=coding,
        then=frames.close,
    )


def _reader(frames: StoredFrames, form: Form) -> Callable[[int], bytes | memoryview]:
    if form.syntax == EXPLICIT:
        return frames.plain
    if form.syntax == frames.instance.transfer_syntax_uid and frames.is_compressed:
        return frames.stored
    return lambda frame: frames.encoded(frame, form.syntax)


def _parts(
    read: Callable[[int], bytes | memoryview],
    wanted: Sequence[int],
    form: Form,
    first: bytes | memoryview,
) -> Iterator[OutPart]:
    for place, frame in enumerate(wanted):
        data = read(frame) if place else first
        yield OutPart(form.content_type, [data], length=len(data))


def send_video(request: Request, instance: Instance, form: Form, etag: str) -> HttpResponseBase:
    """Answer with the whole stream of a video, which is not divided into frames; or a range."""
    if form.syntax == EXPLICIT:
        raise UndecodableError("A video is not sent as uncompressed frames.")
    video = open_video(instance)
    if not form.is_multipart:
        return answer_range(request, video.size, video.pieces, form.content_type, etag, video.close)
    boundary = new_boundary()
    parts = [OutPart(form.content_type, video.pieces(0, video.size), length=video.size)]
    length = length_of_parts(parts, boundary)
    return answer_pieces(
        request, write_parts(parts, boundary), related(form.kind, boundary), length=length,
        then=video.close,
    )  # fmt: skip
