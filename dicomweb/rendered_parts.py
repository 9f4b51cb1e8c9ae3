"""What a rendered resource consists of: pictures, films and texts, each made when it is sent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from PIL import Image

from accounts.models import User
from archive.kept_pictures import read_kept_picture
from archive.models import Instance
from archive.rendering import Rendering, render_picture
from archive.video import open_video
from archive.video_shown import as_shown
from dicomweb.burned_in import burn_in, corners_of
from dicomweb.presented import (
    Presentation,
    draw_presented,
    find_presented,
    read_presentation,
)
from dicomweb.rendered_form import NO_PROFILE, RenderedWish
from dicomweb.rendered_text import open_text
from dicomweb.rendered_types import GIF, JPEG, MP4, PICTURES, PNG, Choice
from imaging.display import encode_gif, encode_jpeg, encode_png
from imaging.errors import MissingError, TooBroadError
from imaging.film import GIF_LIMIT_PX, write_gif
from imaging.icc import srgb_profile
from imaging.viewport import fit_viewport
from viewer.export_video import rate_of

PARTS_LIMIT = 20_000
# Frames times pixels of an animation, which is held while it is made.
FILM_LIMIT_PX = 128_000_000
JPEG_QUALITY = 85
_ENDINGS = {JPEG: "jpg", PNG: "png", GIF: "gif"}
# Changes whenever the same texts give other bytes.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rendition:
    """One representation: a frame, counted from 0, or with None all of an instance.

    With a `presentation` it is shown as that says.
    """

    instance: Instance
    frame: int | None
    media_type: str
    presentation: Presentation | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a rendition, in pieces, and how many they are."""

    pieces: Iterable[bytes | memoryview]
    length: int


def list_renditions(
    instances: Sequence[Instance], choice: Choice, frames: Sequence[int] | None, wish: RenderedWish
) -> list[Rendition]:
    """Return what is to be sent; `frames` are those of the only instance, None all of each.

    Raises QueryError for a viewport that one of the images does not have, TooBroadError for
    more than is sent at once.
    """
    found: list[Rendition] = []
    for instance, media_type in zip(instances, choice.types, strict=True):
        if media_type is None:
            continue
        if media_type not in PICTURES:
            found.append(Rendition(instance, None, media_type))
            continue
        shown = as_shown(instance)
        if wish.viewport is not None:
            wish.viewport.region_of(shown.rows or 0, shown.columns or 0)
        wanted = range(max(shown.number_of_frames, 1)) if frames is None else frames
        if media_type == GIF and len(wanted) > 1:
            _check_film(shown, len(wanted), wish)
            found.append(Rendition(shown, None, media_type))
            continue
        if len(found) + len(wanted) > PARTS_LIMIT:
            raise TooBroadError("There are too many frames to be rendered at once.")
        found += [Rendition(shown, frame, media_type) for frame in wanted]
    return found


def list_presented(
    user: User | AnonymousUser, instance: Instance, media_type: str
) -> list[Rendition]:
    """Return the pictures that a presentation state asks for, of the images that are here.

    Raises UnsupportedError for a state that cannot be applied, MissingError when none of its
    images is here.
    """
    presentation = read_presentation(instance)
    found = [
        Rendition(shown, frame, media_type, presentation)
        for image, frames in find_presented(user, presentation)
        for shown in [as_shown(image)]
        for frame in frames or range(max(shown.number_of_frames, 1))
    ]
    if not found:
        raise MissingError(_("The images of this presentation state are not here."))
    if len(found) > PARTS_LIMIT:
        raise TooBroadError("There are too many frames to be rendered at once.")
    return found


def _check_film(instance: Instance, count: int, wish: RenderedWish) -> None:
    rows, columns = instance.rows or 1, instance.columns or 1
    view = wish.viewport
    if view is not None and view.width_px and view.height_px:
        rows, columns = view.height_px, view.width_px
    shrunk = min(1.0, GIF_LIMIT_PX / max(rows, columns))
    if count * rows * columns * shrunk**2 > FILM_LIMIT_PX:
        raise TooBroadError("There are too many frames for one animation.")


def key_of(rendition: Rendition, wish: RenderedWish) -> str:
    """Return what names the very bytes of a rendition."""
    instance, frame = rendition.instance, rendition.frame
    look = _look_of(wish)
    corners = corners_of(instance, frame or 0, wish, look)
    parts = (
        _VERSION, instance.dataset_sha256, instance.facts_version, frame, rendition.media_type,
        look.key, wish.quality, wish.profile, sorted(corners.items()), get_language(),
        rendition.presentation and rendition.presentation.instance.dataset_sha256,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def open_rendition(user: User | AnonymousUser, rendition: Rendition, wish: RenderedWish) -> Body:
    """Return the bytes of a rendition: made now, or found in a cache.

    Raises as `archive.rendering.render_picture`, and UnsupportedError for a text that cannot be
    given so.
    """
    instance, media_type = rendition.instance, rendition.media_type
    if media_type == MP4:
        stream = open_video(instance)
        return Body(stream.pieces(0, stream.size), stream.size)
    if media_type not in PICTURES:
        return Body(*open_text(user, instance, media_type))
    content = _film(rendition, wish) if rendition.frame is None else _picture(rendition, wish)
    return Body([content], len(content))


# --- pictures ------------------------------------------------------------------------------------
def _look_of(wish: RenderedWish) -> Rendering:
    return Rendering(window=wish.window, viewport=wish.viewport)


def _picture(rendition: Rendition, wish: RenderedWish) -> bytes | memoryview:
    instance, frame, media_type = rendition.instance, rendition.frame or 0, rendition.media_type
    look = f"{_look_of(wish).key}-{_ENDINGS[media_type]}"
    is_presented = rendition.presentation is not None
    if (
        is_presented
        or wish.annotations
        or wish.profile != NO_PROFILE
        or (wish.quality and media_type == JPEG)
    ):
        look = f"{look}-{key_of(rendition, wish)}"
    # A plain one is the viewer's own, and kept under the same name.
    return read_kept_picture(
        instance, frame, look, lambda: _encode(_draw(rendition, frame, wish), media_type, wish)
    )


def _draw(rendition: Rendition, frame: int, wish: RenderedWish) -> np.ndarray:
    instance, look = rendition.instance, _look_of(wish)
    if rendition.presentation is None:
        picture = render_picture(instance, frame, look)
    else:
        picture = draw_presented(rendition.presentation, instance, frame)
        if wish.viewport is not None:
            picture = fit_viewport(picture, wish.viewport)
    if not wish.annotations:
        return picture
    corners = corners_of(instance, frame, wish, look)
    return burn_in(picture, corners, keeps_size=wish.viewport is not None)


def _encode(picture: np.ndarray, media_type: str, wish: RenderedWish) -> bytes:
    if media_type == GIF:
        return encode_gif(picture)
    profile = None
    if wish.profile != NO_PROFILE:
        # What is shown is sRGB; a profile of colours does not fit a picture without any.
        profile = srgb_profile()
        picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    if media_type == PNG:
        return encode_png(picture, profile=profile)
    return encode_jpeg(picture, quality=wish.quality or JPEG_QUALITY, profile=profile)


def _film(rendition: Rendition, wish: RenderedWish) -> bytes:
    """Return all frames as one animation; it is made in a file, which holds less than memory."""

    def pictures() -> Iterator[Image.Image]:
        for frame in range(rendition.instance.number_of_frames):
            yield Image.fromarray(_draw(rendition, frame, wish))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        write_gif(path, pictures(), rate_of(rendition.instance, None))
        return path.read_bytes()
