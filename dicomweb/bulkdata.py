"""WADO-RS: bulk data that metadata name by address (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from archive import storage
from archive.frame_bytes import StoredFrames
from archive.inflated import read_inflated
from archive.models import Instance
from archive.video import is_video
from archive.viewing import ensure_viewing_recorded
from dicomweb.frames import (
    OCTETS,
    Form,
    choose_form,
    pixel_coding,
    send_frames,
    send_video,
)
from dicomweb.media_types import Wish
from dicomweb.multipart import OutPart, length_of_parts, new_boundary, related, write_parts
from dicomweb.ranges import answer_range
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import Pieces, answer_pieces
from dicomweb.syntaxes import EXPLICIT, UNSAID
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    find_instance,
    keep_private,
    make_etag,
)
from imaging.elements import ElementView
from imaging.encoding import PIXEL_TAGS
from imaging.errors import MissingError, UnreadableError
from imaging.header import Header, read_header
from imaging.metadata import find_value, little_endian
from viewer.file_stream import Piece

_DOCUMENT = 0x00420011
_DEFLATED_LIMIT = 64 << 20


class BulkDataView(RetrievingView):
    """One long value of an instance, or its pixels."""

    def get(self, request: Request, path: str, **uids: str) -> HttpResponseBase:
        """Send the value, little endian, or any range of it."""
        instance = find_instance(request, uids)
        if len(path) == 8 and path.isalnum() and int_of(path) in PIXEL_TAGS:
            return self._pixels(request, instance)
        with storage.open_instance(instance.storage_key) as file:
            size = file.seek(0, 2)
            if size != instance.size_bytes:
                raise UnreadableError("The file is damaged: it has another size than was stored.")
            file.seek(0)
            header = read_header(file, size=size)
        view, tag = find_value(header, path)
        kind, is_multipart = _choose(self.wishes(), _type_of(view, tag))
        ensure_viewing_recorded(request._request, instance.study_id)
        etag = make_etag([instance.dataset_sha256, path, kind, is_multipart])
        etag = etag if is_multipart else etag.removeprefix("W/")
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        value = _Value(instance, header, view, tag)
        if is_multipart:
            response = _as_part(request, value, kind)
        else:
            response = answer_range(request, value.length, value.part, kind, etag, value.close)
        return keep_private(response, etag)

    def _pixels(self, request: Request, instance: Instance) -> HttpResponseBase:
        """Send the whole of the pixels: as one run of bytes, or frame by frame when compressed."""
        if not instance.number_of_frames:
            raise MissingError("There are no pixels.")
        form = choose_form(instance, self.wishes(), is_one=True)
        if form.syntax != EXPLICIT and instance.number_of_frames > 1 and not form.is_multipart:
            # Several codestreams cannot leave as one.
            raise NotAcceptable
        ensure_viewing_recorded(request._request, instance.study_id)
        coding = pixel_coding(request) if form.syntax == EXPLICIT else None
        etag = make_etag(
            [
                instance.dataset_sha256,
                instance.facts_version,
                "pixels",
                form,
                coding and coding.name,
            ]
        )
        etag = etag if form.is_multipart else etag.removeprefix("W/")
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        if is_video(instance):
            return keep_private(send_video(request, instance, form, etag), etag)
        if form.syntax != EXPLICIT:
            count = range(instance.number_of_frames)
            return keep_private(send_frames(request, instance, count, form, None), etag)
        return keep_private(_send_plain(request, instance, form, etag), etag)


def int_of(text: str) -> int:
    """Return a tag in hexadecimal digits; -1 for what is none."""
    try:
        return int(text, 16)
    except ValueError:
        return -1


def _choose(wishes: list[Wish], own: str) -> tuple[str, bool]:
    """Return the media type of a value that is no picture, and whether it comes as a part."""
    for wish in wishes:
        if wish.syntax not in {UNSAID, "*", EXPLICIT}:
            continue
        for kind in (own, OCTETS) if wish.kind == "*/*" else (OCTETS, own):
            if wish.takes(kind):
                # Left open, a value comes alone: programs give the address to whoever shows it.
                return kind, wish.is_multipart is True
    raise NotAcceptable


def _type_of(view: ElementView, tag: int) -> str:
    """Return the media type of a value: that of an encapsulated document is said beside it."""
    if tag == _DOCUMENT:
        said = view.text("MIMETypeOfEncapsulatedDocument").lower()
        if said.isascii() and said.count("/") == 1 and said.replace("/", "").isprintable():
            return said.partition(";")[0].strip()
    return OCTETS


class _Value:
    """The bytes of a value, whole or in part."""

    def __init__(self, instance: Instance, header: Header, view: ElementView, tag: int) -> None:
        span = view.span(tag)
        assert span is not None
        offset, length = span
        if tag == _DOCUMENT:
            # Without the padding that makes the value's length even.
            exact = view.integer("EncapsulatedDocumentLength")
            length = exact if exact is not None and 0 < exact <= length else length
        self.length = length
        self._open = functools.partial(Piece, instance)
        self._offset = offset
        self._held: bytes | None = None
        if header.is_deflated:
            self._held = bytes(read_inflated(instance, offset, length))
        elif not view.is_little_endian and length <= _DEFLATED_LIMIT:
            with Piece(instance, offset, length) as piece:
                raw = b"".join(piece)
            self._held = little_endian(raw, view.vr(tag), is_little=False)

    def part(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not with, `end`."""
        if self._held is not None:
            yield self._held[start:end]
            return
        with self._open(self._offset + start, end - start) as piece:
            yield from piece

    def close(self) -> None:
        """Nothing stays open between pieces."""


def _as_part(request: Request, value: _Value, kind: str) -> HttpResponseBase:
    boundary = new_boundary()
    parts = [OutPart(kind, value.part(0, value.length), length=value.length)]
    return answer_pieces(
        request,
        write_parts(parts, boundary),
        related(kind, boundary),
        length=length_of_parts(parts, boundary),
    )


def _send_plain(request: Request, instance: Instance, form: Form, etag: str) -> HttpResponseBase:
    """Answer with the pixels as PixelData would hold them without compression, or a range."""
    frames = StoredFrames(instance)
    try:
        span = frames.plain_span()
        each = 0 if span else frames.plain_bytes()
    except BaseException:
        frames.close()
        raise
    length = span[1] if span else each * instance.number_of_frames

    def part(start: int, end: int) -> Iterator[bytes]:
        if span:
            with Piece(instance, span[0] + start, end - start) as piece:
                yield from piece
            return
        for frame in range(start // each, -(-end // each)):
            data = bytes(frames.plain(frame))
            yield data[max(0, start - frame * each) : end - frame * each]

    if not form.is_multipart:
        return answer_range(request, length, part, form.content_type, etag, frames.close)
    boundary = new_boundary()
    parts = [OutPart(form.content_type, part(0, length), length=length)]
    pieces: Pieces = write_parts(parts, boundary)
    return answer_pieces(
        request, pieces, related(form.kind, boundary),
        length=length_of_parts(parts, boundary), then=frames.close,
    )  # fmt: skip
