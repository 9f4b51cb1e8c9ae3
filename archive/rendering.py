"""Pictures made here instead of in the browser: for thumbnails and for plain `<img>`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.frames import read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance
from archive.overlays import overlays_or_none
from archive.places import Places
from archive.video_shown import as_shown
from imaging.automatic_window import AUTOMATIC
from imaging.colour_maps import BY_CODE
from imaging.display import Grayscale, render_frame, thumbnail
from imaging.enhance import (
    FILTERS,
    MARKS,
    NOT_THE_ORIGINAL,
    PIXELS_LIMIT,
    Filter,
    apply_filters,
)
from imaging.errors import UnsupportedError
from imaging.lut import Window
from imaging.marks import draw_mark
from imaging.ordering import frame_view
from imaging.overlays import Plane
from imaging.spacing import pixel_aspect
from imaging.viewport import Viewport, fit_viewport

# Rendering takes processor and memory from the web process: a storm waits, then is refused.
_places = Places(2, waiting_limit=32, wait_seconds=10)


# Changes whenever the same parameters give another picture.
_VERSION = 2
# Colours that stand beside grey are no measure of it.
PALETTE_MARK = "COLOURS BY THE FILE'S PALETTE"


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a frame is to be seen. Equal ones give the same picture, and so do equal keys.

    `window` replaces the file's own; `percentiles` (0 to 100) finds one in the pixels
    (`imaging.automatic_window`); with neither the file decides. Then come `filters`, `invert`
    and `colour_map` (a code of `imaging.colour_maps`). `overlays` and `shutter` are what the
    file lays over the image and hides of it. `width_px` and `longest_px` make the picture
    smaller, never larger; `viewport` replaces both.
    """

    window: Window | None = None
    percentiles: tuple[float, float] | None = None
    filters: tuple[Filter, ...] = ()
    invert: bool = False
    colour_map: str = ""
    width_px: int | None = None
    longest_px: int | None = None
    overlays: bool = True
    shutter: bool = True
    viewport: Viewport | None = None

    @property
    def enhancement(self) -> str:
        """Filters and colours in the words of a request; empty for the original look."""
        ordered = sorted(self.filters, key=lambda one: FILTERS.index(one.name))
        words = [f"{one.name}:{one.strength:g}" for one in ordered]
        return ",".join([*words, *([f"colormap:{self.colour_map}"] if self.colour_map else [])])

    @property
    def key(self) -> str:
        """Everything that changes a pixel, in letters that an ETag may hold."""
        window, size = self.window, (self.width_px or "", self.longest_px or "")
        level = f"{window.center!r},{window.width!r},{window.function}" if window else ""
        shares = f"{self.percentiles[0]!r},{self.percentiles[1]!r}" if self.percentiles else ""
        flags = f"{self.invert:d}{self.overlays:d}{self.shutter:d}"
        parts: tuple[object, ...] = (_VERSION, level, shares, self.enhancement, flags, *size)
        if self.viewport is not None:
            parts += (self.viewport.key,)
        return ";".join(map(str, parts))

    @property
    def marks(self) -> tuple[str, ...]:
        """The lines that the picture must carry; none for the original look."""
        if not self.filters and not self.colour_map:
            return ()
        ordered = sorted(self.filters, key=lambda one: FILTERS.index(one.name))
        words = [MARKS[one.name] for one in ordered]
        if self.colour_map:
            words.append(f"COLOUR MAP {BY_CODE[self.colour_map].label.upper()}")
        return (*words, NOT_THE_ORIGINAL)


def render_picture(
    instance: Instance,
    frame: int,
    rendering: Rendering = Rendering(),
    *,
    shutter: dict[str, Any] | None = None,
) -> np.ndarray:
    """Return what a screen shows of one frame, counted from 0.

    `shutter` replaces that of the file, see `imaging.shutters`. The result
    is uint8, (rows, columns) grey or (rows, columns, 3) RGB, in the
    patient's proportions. One that is filtered or painted says so in its
    lower left corner. Raises as `archive.frames.read_frame`, `BusyError`
    when too much is being rendered, and `UnsupportedError` for filters on a
    picture of more than `imaging.enhance.PIXELS_LIMIT` pixels or a colour
    map on one that has colours, and `QueryError` for a viewport that the
    image does not have.
    """
    instance = as_shown(instance)
    with _places.one():
        stored = read_frame(instance, frame).to_array(instance.rows or 0, instance.columns or 0)
        pipeline = _pipeline(instance, frame)
        is_colored = stored.ndim == 3 or pipeline.supplement is not None
        _refuse_unfit(stored, rendering, is_colored=is_colored)
        window = rendering.window
        if rendering.percentiles is not None and stored.ndim == 2:
            window = pipeline.percentile_window(stored, rendering.percentiles)
        facts = frame_view(instance.image, frame)
        ratio = pixel_aspect(facts)
        if shutter is None and rendering.shutter:
            shutter = facts.get("shutter")
        padded = pipeline.padding_mask(stored) if stored.ndim == 2 else None
        picture = render_frame(
            stored,
            pipeline,
            window=window,
            bits_stored=int(instance.image.get("bits_stored", 8)),
            shutter=shutter,
            overlays=_overlays(instance, frame, rendering, facts.get("shutter") or {}),
            row_to_column=ratio,
            finish=lambda levels: _finish(levels, rendering, padded),
        )
        if rendering.viewport is not None:
            picture = fit_viewport(picture, rendering.viewport, row_to_column=ratio)
        else:
            picture = _fit(picture, ratio, rendering.width_px, rendering.longest_px)
    marks = rendering.marks
    if pipeline.supplement is not None and rendering.longest_px is None:
        marks = (PALETTE_MARK, *marks)
    if not marks:
        return picture
    colours = BY_CODE[rendering.colour_map].table() if rendering.colour_map else None
    return draw_mark(picture, marks, colours)


def find_window(instance: Instance, frame: int, rendering: Rendering) -> Window | None:
    """Return the window that a grey picture gets from its pixels; None when one is told.

    Reads the frame. Raises as `render_picture`.
    """
    if rendering.window is not None:
        return None
    instance = as_shown(instance)
    pipeline = _pipeline(instance, frame)
    is_told = pipeline.window is not None or pipeline.voi_lut is not None
    if rendering.percentiles is None and is_told:
        return None
    with _places.one():
        stored = read_frame(instance, frame).to_array(instance.rows or 0, instance.columns or 0)
        if stored.ndim != 2:
            return None
        return pipeline.percentile_window(stored, rendering.percentiles or AUTOMATIC)


def _overlays(
    instance: Instance, frame: int, rendering: Rendering, shutter: dict[str, Any]
) -> list[Plane]:
    """Return the planes that are wanted: graphics, and the bitmap that the shutter is."""
    if not rendering.overlays and not (rendering.shutter and "bitmap_group" in shutter):
        return []
    planes = overlays_or_none(instance, frame)
    return [plane for plane in planes if rendering.overlays or plane.is_shutter]


def _refuse_unfit(stored: np.ndarray, rendering: Rendering, *, is_colored: bool) -> None:
    if rendering.filters and stored.shape[0] * stored.shape[1] > PIXELS_LIMIT:
        raise UnsupportedError("This picture is too large to be enhanced.")
    if rendering.colour_map and is_colored:
        raise UnsupportedError("This picture has colours of its own: it takes no colour map.")


def _finish(levels: np.ndarray, rendering: Rendering, padded: np.ndarray | None) -> np.ndarray:
    """Filter, invert (padding stays black) and paint windowed levels."""
    levels = apply_filters(levels, rendering.filters)
    if rendering.invert:
        levels = 255 - levels
    if padded is not None:
        padded = padded if levels.ndim == 2 else padded[..., None]
        levels = np.where(padded, np.uint8(0), levels)
    return BY_CODE[rendering.colour_map].paint(levels) if rendering.colour_map else levels


def _pipeline(instance: Instance, frame: int) -> Grayscale:
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    facts = frame_view(instance.image, frame)
    has_table = any(facts.get(f"has_{kind}_lut") for kind in ("modality", "voi", "presentation"))
    if has_table or pipeline.is_colored:
        header = read_instance_header(instance)
        if header is not None:
            return pipeline.with_tables(header, frame)
    return pipeline


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
