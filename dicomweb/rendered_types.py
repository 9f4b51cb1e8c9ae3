"""In which media types an instance can be rendered, and which of them is given (PS3.18 8.7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive.displayable import why_not_displayable
from archive.models import Instance
from archive.video import is_video, open_video
from dicomweb.media_types import Range, parse_accept
from dicomweb.presented import STATES
from dicomweb.rendered_form import RenderedWish
from dicomweb.statuses import NotAcceptable
from imaging.errors import NoctisError
from viewer.object_kinds import KEY_OBJECTS, PICTURE, REPORT, SEGMENTATION, STATE, kind_of

JPEG, PNG, GIF, MP4 = "image/jpeg", "image/png", "image/gif", "video/mp4"
HTML, PLAIN, PDF = "text/html", "text/plain", "application/pdf"
PICTURES = (JPEG, PNG, GIF)
FILMS = (MP4, *PICTURES)
TEXTS = (HTML, PLAIN, PDF)
PRESENTED = (JPEG, PNG)
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
_DOCUMENTS = {ENCAPSULATED_PDF: (PDF,), ENCAPSULATED_CDA: (HTML, PLAIN)}
# What is stored, in words, and in which types it is given: the default first.
OFFERED: dict[str, tuple[str, ...]] = {
    "images and segmentations": PICTURES,
    "videos in MP4": FILMS,
    "other videos": PICTURES,
    "presentation states (their images, as they say)": PRESENTED,
    "structured reports and key object selections": TEXTS,
    "encapsulated PDF": _DOCUMENTS[ENCAPSULATED_PDF],
    "encapsulated CDA": _DOCUMENTS[ENCAPSULATED_CDA],
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is given of each instance, None where no type is acceptable; in several parts or one."""

    types: tuple[str | None, ...]
    wants_parts: bool


def types_of(instance: Instance, wish: RenderedWish) -> tuple[str, ...]:
    """Return the media types in which an instance can be rendered, the default first.

    A stored video is given as it is, or its frames as pictures: what is wanted of its pixels
    excludes the first.
    """
    kind = kind_of(instance.sop_class_uid, instance.number_of_frames)
    if is_video(instance):
        is_plain = wish.window is None and wish.viewport is None and not wish.annotations
        return FILMS if is_plain and _is_mp4(instance) else PICTURES
    if kind in {PICTURE, SEGMENTATION}:
        reason = why_not_displayable(
            instance.sop_class_uid, instance.transfer_syntax_uid, instance.number_of_frames
        )
        return () if reason else PICTURES
    if kind in {REPORT, KEY_OBJECTS}:
        return TEXTS
    if kind == STATE and instance.sop_class_uid in STATES:
        return PRESENTED
    return _DOCUMENTS.get(instance.sop_class_uid, ())


def choose_rendered(accept: str, offered: Sequence[tuple[str, ...]]) -> Choice:
    """Return which type each instance is given in.

    What is accepted counts in the order of its quality; without a wish everything is. Raises
    NotAcceptable when none of the instances can be given.
    """
    ranges = parse_accept(accept) or [Range("*/*", {}, 1.0)]
    wishes = sorted((one for one in ranges if one.quality > 0), key=lambda one: -one.quality)
    refused = {one.kind for one in ranges if one.quality <= 0}
    chosen: list[str | None] = []
    wants_parts = False
    for types in offered:
        found = None
        for wish in wishes:
            in_parts = wish.kind in {"multipart/related", "multipart/*"}
            kind = wish.parameters.get("type", "*/*").lower() if in_parts else wish.kind
            found = next((one for one in types if _fits(one, kind) and one not in refused), None)
            if found is not None:
                wants_parts |= in_parts
                break
        chosen.append(found)
    if not any(chosen):
        raise NotAcceptable
    return Choice(tuple(chosen), wants_parts)


def _fits(media_type: str, kind: str) -> bool:
    return kind in {"*/*", media_type, f"{media_type.partition('/')[0]}/*"}


def _is_mp4(instance: Instance) -> bool:
    try:
        stream = open_video(instance)
    except NoctisError:
        return False
    stream.close()
    return stream.content_type == MP4
