"""Pictures as they leave: rendered as for the screen, dressed, encoded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL import Image

from archive.models import Instance
from archive.rendering import Rendering, render_picture
from imaging.display import Grayscale
from imaging.lut import Window
from imaging.picture_marks import dress
from viewer.export_form import JPEG, PNG, look_of
from viewer.export_fusion import lay_over
from viewer.export_marks import Dresser
from viewer.export_models import Export
from viewer.looks import parse_rendering
from viewer.parameters import ParameterError

JPEG_QUALITY = 92


def draw_pictures(
    export: Export, dresser: Dresser, images: Sequence[tuple[Instance, int]]
) -> Iterator[Image.Image]:
    """Yield the pictures of an export, one at a time.

    Raises as `archive.rendering.render_picture`: a picture that cannot be shown ends the export,
    for one that is left out in silence would be worse.
    """
    for place, image in enumerate(images, start=1):
        yield draw_picture(export, dresser, image, place, len(images))


def draw_picture(
    export: Export, dresser: Dresser, image: tuple[Instance, int], place: int, count: int
) -> Image.Image:
    """Return one picture, the `place`-th (from 1) of `count`."""
    instance, frame = image
    rendering = rendering_of(export, instance, frame)
    picture = render_picture(instance, frame, rendering)
    picture = lay_over(export.wish, instance, frame, picture)
    window = shown_window(instance, frame, rendering)
    return dress(
        picture, dresser.dressing(instance, frame, place=place, count=count, window=window)
    )


def shown_window(instance: Instance, frame: int, rendering: Rendering) -> Window | None:
    """Return the window of the picture where it is one of two numbers."""
    if rendering.window is not None or rendering.percentiles is not None:
        return rendering.window
    if instance.image.get("has_voi_lut"):
        return None
    return Grayscale.from_image_facts(instance.image, frame=frame).window


def rendering_of(export: Export, instance: Instance, frame: int) -> Rendering:
    """Return the look of one picture. A preset that a picture does not have leaves it as it is."""
    look = look_of(export.wish)
    try:
        rendering = parse_rendering(look, instance, frame)
    except ParameterError:
        look.pop("preset", None)
        rendering = parse_rendering(look, instance, frame)
    longest = export.wish.get("longest_px")
    if export.wish.get("deidentify"):
        # Graphics that a device laid over the picture may be words.
        rendering = replace(rendering, overlays=False)
    return replace(rendering, longest_px=longest) if longest else rendering


def encode(picture: Image.Image, form: str) -> bytes:
    """Return a picture as a file that says nothing but the picture."""
    out = io.BytesIO()
    if form == JPEG:
        picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    elif form == PNG:
        picture.save(out, "PNG", compress_level=4)
    else:
        picture.save(out, "TIFF", compression="tiff_adobe_deflate")
    return out.getvalue()
