"""A decoded frame to what a screen shows: 8-bit grey or RGB (PS3.3 C.11, PS3.4 N.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from imaging.automatic_window import AUTOMATIC, percentile_window, region_window
from imaging.elements import ElementView
from imaging.lut import (
    LINEAR,
    VOI_LUT_FUNCTIONS,
    LookupTable,
    Window,
    find_voi_items,
    rescale,
    usable_rescale,
)
from imaging.ordering import frame_view
from imaging.overlays import Plane, compose, draw_overlays, hidden_bits
from imaging.palette import Palette, is_colored
from imaging.shutters import apply_shutter


@dataclass(frozen=True, slots=True)
class Grayscale:
    """The grey pipeline of one frame: stored, modality, VOI, presentation.

    `voi_lut` wins over `window`; with neither the window is found from the pixels.
    `padding` is the range of stored values that stand for "no pixel": they are black whatever
    is inverted, and count in no automatic window. A `presentation_lut` gives P-values, so
    nothing is inverted behind it (PS3.3 C.11.6). `supplement` are the colours of stored values
    from its first on, whatever the window; those below are grey (C.7.6.19). `is_colored` says
    that the file wants it.
    """

    slope: float | None = None
    intercept: float | None = None
    modality_lut: LookupTable | None = None
    window: Window | None = None
    voi_lut: LookupTable | None = None
    invert: bool = False
    padding: tuple[float, float] | None = None
    presentation_lut: LookupTable | None = None
    is_colored: bool = False
    supplement: Palette | None = None

    @classmethod
    def from_image_facts(cls, image: dict[str, Any], *, frame: int = 0) -> "Grayscale":
        """Read the pipeline of a frame, counted from 0, from `InstanceFacts.image`.

        Lookup tables are not among the facts (`has_modality_lut`, `has_voi_lut` tell):
        `with_tables` adds them from the header.
        """
        facts = frame_view(image, frame)
        centers, widths = facts.get("window_center"), facts.get("window_width")
        window = None
        if centers and widths:
            function = facts.get("voi_lut_function", LINEAR)
            function = function if function in VOI_LUT_FUNCTIONS else LINEAR
            window = Window(centers[0], widths[0], function)
        padding = facts.get("pixel_padding_value")
        limit = facts.get("pixel_padding_range_limit", padding)
        shape = facts.get("presentation_lut_shape", "")
        monochrome1 = facts.get("photometric_interpretation") == "MONOCHROME1"
        return cls(
            slope=facts.get("rescale_slope"),
            intercept=facts.get("rescale_intercept"),
            window=window if window is not None and window.is_usable else None,
            # INVERSE belongs to MONOCHROME1 (C.8.11.3.1.2), so it says the same once more.
            invert=monochrome1 or shape == "INVERSE",
            padding=None if padding is None else (min(padding, limit), max(padding, limit)),
            is_colored=is_colored(facts),
        )

    def with_tables(self, header: ElementView, frame: int = 0) -> "Grayscale":
        """Return the pipeline of a frame with the first usable tables that the header has."""
        modality = _first_table(header.items("ModalityLUTSequence"), header.signed)
        # The output of a modality LUT is unsigned; a rescale may go below 0.
        slope, intercept = usable_rescale(self.slope, self.intercept)
        below = modality is None and (header.signed or slope < 0 or intercept < 0)
        table = _first_table(header.items("PresentationLUTSequence"), False)
        return replace(
            self,
            modality_lut=modality,
            voi_lut=_first_table(find_voi_items(header, frame), below),
            presentation_lut=table,
            invert=self.invert and table is None,
            supplement=Palette.supplemental(header) if self.is_colored else None,
        )

    def padding_mask(self, stored: np.ndarray) -> np.ndarray | None:
        """Return which pixels are no pixels (bool, same shape), None when none can be."""
        missing = np.isnan(stored) if stored.dtype.kind == "f" else None
        if self.padding is None:
            return missing
        padded = (stored >= self.padding[0]) & (stored <= self.padding[1])
        return padded if missing is None else padded | missing

    def modality_values(self, stored: np.ndarray) -> np.ndarray:
        """Return float64 modality values (HU for CT), same shape."""
        if self.modality_lut is not None:
            return self.modality_lut.apply(stored)
        return rescale(stored, self.slope, self.intercept)

    def apply(self, stored: np.ndarray, window: Window | None = None) -> np.ndarray:
        """Return uint8 grey of the same shape; halves are rounded up.

        `window` replaces whatever the file says.
        """
        chosen = window if window is not None and window.is_usable else None
        if chosen is None and self.voi_lut is None:
            chosen = self.window or self.percentile_window(stored)
        if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2 and stored.size > 65536:
            low, high = int(stored.min()), int(stored.max())
            table = self._grey(np.arange(low, high + 1), chosen)
            return np.asarray(table[stored.astype(np.int32) - low])
        return self._grey(stored, chosen)

    def _grey(self, stored: np.ndarray, window: Window | None) -> np.ndarray:
        values = self.modality_values(stored)
        values = np.nan_to_num(values, nan=0.0)
        if window is not None:
            grey = window.apply(values)
        else:
            assert self.voi_lut is not None
            grey = self.voi_lut.apply(values) * (255.0 / ((1 << self.voi_lut.bits) - 1))
        if self.presentation_lut is not None:
            table = self.presentation_lut
            steps = np.clip(grey, 0, 255) / 255.0 * (len(table.values) - 1)
            grey = table.apply(steps + table.first_mapped) * (255.0 / ((1 << table.bits) - 1))
        grey = np.floor(np.clip(grey, 0, 255) + 0.5).astype(np.uint8)
        if self.invert:
            grey = 255 - grey
        padded = self.padding_mask(stored)
        return np.asarray(grey if padded is None else np.where(padded, np.uint8(0), grey))

    def percentile_window(
        self, stored: np.ndarray, percentiles: tuple[float, float] = AUTOMATIC
    ) -> Window:
        """Return the window over percentiles (0 to 100) of what a frame shows."""
        values = self._grey_values(stored)
        return percentile_window(values, padding=self._padding_values(), percentiles=percentiles)

    def region_window(
        self,
        stored: np.ndarray,
        region: Sequence[float],
        percentiles: tuple[float, float] = AUTOMATIC,
    ) -> Window | None:
        """Return the window over a rectangle of a frame, None when nothing counts in it.

        `region` as in `imaging.automatic_window.region_window`.
        """
        values, padding = self._grey_values(stored), self._padding_values()
        return region_window(values, region, padding=padding, percentiles=percentiles)

    def _grey_values(self, stored: np.ndarray) -> np.ndarray:
        """Return modality values; those that a palette makes colours are NaN."""
        values = self.modality_values(stored)
        if self.supplement is None:
            return values
        return np.where(stored < self.supplement.first_mapped, values, np.nan)

    def _padding_values(self) -> tuple[float, float] | None:
        if self.padding is None:
            return None
        ends = self.modality_values(np.array(self.padding))
        return float(ends.min()), float(ends.max())

    def colour(self, stored: np.ndarray, grey: np.ndarray) -> np.ndarray:
        """Return the grey of a frame as RGB with the colours of its supplemental palette.

        Without one it stays grey. What is no pixel has no colour.
        """
        if self.supplement is None:
            return grey
        shown = np.repeat(grey[:, :, None], 3, axis=2)
        colored = stored >= self.supplement.first_mapped
        padded = self.padding_mask(stored)
        if padded is not None:
            colored &= ~padded
        shown[colored] = self.supplement.apply(stored[colored])
        return shown


def _first_table(items: Sequence[ElementView], signed_input: bool) -> LookupTable | None:
    tables = (LookupTable.from_item(item, signed_input=signed_input) for item in items)
    return next((table for table in tables if table is not None), None)


def render_frame(
    frame: np.ndarray,
    grayscale: Grayscale,
    *,
    window: Window | None = None,
    bits_stored: int = 8,
    shutter: dict[str, Any] | None = None,
    overlays: Sequence[Plane] = (),
    row_to_column: float = 1.0,
    finish: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Return what a screen shows of a decoded frame.

    Parameters
    ----------
    frame
        From `decode_frame`: (rows, columns) stored values or (rows, columns, 3) RGB.
    grayscale
        The pipeline; colour does not use it.
    window
        Replaces the file's window or VOI LUT.
    bits_stored
        Of colour samples deeper than 8 bits.
    shutter
        From `shutter_facts`; neutralises pixels, never overlays.
    overlays
        Planes of this frame, drawn last; those that are shutters hide pixels instead.
    row_to_column
        Height of a pixel divided by its width, for a circular shutter.
    finish
        What filters and colours make of the levels, before shutter and overlays.

    Returns
    -------
    np.ndarray
        uint8 of the same shape; RGB when an overlay, a palette or a shutter brings colours.
    """
    shown = _levels(frame, grayscale, window, bits_stored)
    if finish is not None:
        shown = finish(shown)
    rows, columns = shown.shape[:2]
    if shutter is not None:
        bitmap = hidden_bits(overlays, rows, columns)
        shown = apply_shutter(shown, shutter, row_to_column=row_to_column, bitmap=bitmap)
    over = compose(overlays, rows, columns)
    return shown if over is None else draw_overlays(shown, over)


def _levels(
    frame: np.ndarray, grayscale: Grayscale, window: Window | None, bits_stored: int
) -> np.ndarray:
    if frame.ndim == 2:
        if frame.dtype == np.uint8 and bits_stored == 1:
            return np.where(frame != 0, 255, 0).astype(np.uint8)
        return grayscale.colour(frame, grayscale.apply(frame, window))
    if frame.dtype == np.uint8:
        return frame
    return (frame >> max(0, min(bits_stored, frame.dtype.itemsize * 8) - 8)).astype(np.uint8)


def thumbnail(rendered: np.ndarray, size_px: int, *, row_to_column: float = 1.0) -> np.ndarray:
    """Return a uint8 picture whose longer edge is `size_px`, in the patient's proportions.

    Parameters
    ----------
    rendered
        uint8, (rows, columns) or (rows, columns, 3).
    size_px
        Length of the longer edge of the result.
    row_to_column
        Height of a pixel divided by its width: spacing between rows by spacing between
        columns. Absurd ratios count as 1.
    """
    rows, columns = rendered.shape[:2]
    ratio = row_to_column if 0.05 <= row_to_column <= 20 else 1.0
    height, width = rows * ratio, float(columns)
    scale = size_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(np.ascontiguousarray(rendered))
    return np.asarray(
        image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
    )


def encode_png(rendered: np.ndarray, *, profile: bytes | None = None) -> bytes:
    """Return uint8 grey or RGB as PNG, with an ICC profile if one is given."""
    return _encode(rendered, "PNG", {"compress_level": 3, "icc_profile": profile})


def encode_jpeg(rendered: np.ndarray, *, quality: int = 85, profile: bytes | None = None) -> bytes:
    """Return uint8 grey or RGB as baseline JPEG, with an ICC profile if one is given."""
    return _encode(rendered, "JPEG", {"quality": quality, "icc_profile": profile})


def encode_gif(rendered: np.ndarray) -> bytes:
    """Return uint8 grey, or RGB in its 256 most fitting colours, as GIF."""
    image = Image.fromarray(np.ascontiguousarray(rendered))
    out = BytesIO()
    (image if image.mode == "L" else image.quantize(256)).save(out, "GIF")
    return out.getvalue()


def encode_webp(rendered: np.ndarray, *, quality: int = 85) -> bytes:
    """Return uint8 grey or RGB as lossy WebP: half a JPEG's bytes for three times its work."""
    return _encode(rendered, "WEBP", {"quality": quality, "method": 2})


def _encode(rendered: np.ndarray, kind: str, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(rendered)).save(out, kind, **options)
    return out.getvalue()
