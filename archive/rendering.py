"""Pictures made here instead of in the browser: for thumbnails and for plain `<img>`."""

from __future__ import annotations

import numpy as np

from archive.frames import read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance
from archive.overlays import overlays_or_none
from archive.places import Places
from imaging.display import Grayscale, render_frame, thumbnail
from imaging.lut import Window
from imaging.ordering import frame_view

# Rendering takes processor and memory from the web process: a storm waits, then is refused.
_places = Places(2, waiting_limit=32, wait_seconds=10)


def render_picture(
    instance: Instance,
    frame: int,
    *,
    window: Window | None = None,
    width_px: int | None = None,
    longest_px: int | None = None,
    overlays: bool = True,
    shutter: bool = True,
) -> np.ndarray:
    """Return what a screen shows of one frame, counted from 0.

    The result is uint8, (rows, columns) grey or (rows, columns, 3) RGB, in
    the patient's proportions; `width_px` or `longest_px` make it smaller,
    never larger. `overlays` and `shutter` are what the file lays over the
    image and hides of it. Raises as `archive.frames.read_frame`, and `BusyError`
    when too much is being rendered.
    """
    with _places.one():
        stored = read_frame(instance, frame).to_array(instance.rows or 0, instance.columns or 0)
        picture = render_frame(
            stored,
            _pipeline(instance, frame),
            window=window,
            bits_stored=int(instance.image.get("bits_stored", 8)),
            shutter=frame_view(instance.image, frame).get("shutter") if shutter else None,
            overlays=overlays_or_none(instance, frame) if overlays else (),
            row_to_column=_row_to_column(instance, frame),
        )
        return _fit(picture, _row_to_column(instance, frame), width_px, longest_px)


def _pipeline(instance: Instance, frame: int) -> Grayscale:
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    if (
        instance.image.get("has_modality_lut")
        or instance.image.get("has_voi_lut")
        or instance.image.get("has_presentation_lut")
    ):
        header = read_instance_header(instance)
        if header is not None:
            return pipeline.with_tables(header)
    return pipeline


def _row_to_column(instance: Instance, frame: int) -> float:
    """Return the height of a pixel divided by its width (PS3.3 10.7.1.3, C.7.6.3.1.7)."""
    facts = frame_view(instance.image, frame)
    height, width = facts.get("pixel_spacing") or facts.get("pixel_aspect_ratio") or (1.0, 1.0)
    ratio = float(height) / float(width) if width else 1.0
    return ratio if 0.05 <= ratio <= 20 else 1.0


def _fit(
    picture: np.ndarray, row_to_column: float, width_px: int | None, longest_px: int | None
) -> np.ndarray:
    height, width = picture.shape[0] * row_to_column, float(picture.shape[1])
    longest = max(height, width)
    if width_px is not None:
        longest *= min(1.0, width_px / width)
    if longest_px is not None:
        longest = min(longest, longest_px)
    if longest == max(picture.shape[:2]) and row_to_column == 1.0:
        return picture
    return thumbnail(picture, max(1, round(longest)), row_to_column=row_to_column)
