"""Overlay planes 60xx: graphics and regions laid over a picture (PS3.3 C.9.2, PS3.5 8.1.2).

Planes of their own are packed bits, the first in the lowest bit; older objects keep them in
unused bits of the pixels. A plane that is not whole is left out and flagged `bad_overlay`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.elements import ElementView
from imaging.text import clean_line

MAX_PLANES = 16
# The same colour in the viewer (`frontend/src/core/overlays.ts`).
OVERLAY_COLOUR = (255, 190, 0)
GRAPHICS, REGION = 2, 1
_GROUPS = range(0x6000, 0x6100, 2)

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One overlay of one frame.

    `bits` is bool, shape (overlay rows, overlay columns); `origin` is the row and column of its
    first bit in the image, counted from 1 and perhaps outside. `is_region` tells a region of
    interest from graphics. `is_shutter` says that its bits hide pixels of the image (PS3.3
    C.7.6.15): it is not drawn.
    """

    group: int
    origin: tuple[int, int]
    is_region: bool
    bits: np.ndarray
    is_shutter: bool = False


def overlay_facts(header: ElementView, image: Facts) -> list[Facts]:
    """Return what the overlays of an image say of themselves; names are DICOM's.

    `image` are its facts so far: an overlay inside the pixels must fit them.
    `is_embedded` tells those; `overlay_bit_position` is then its bit.
    """
    found: list[Facts] = []
    present = {tag >> 16 for tag in header.tags() if tag >= 0x60000000}
    for group in _GROUPS:
        if group not in present or not any(
            group << 16 | element in header for element in (0x10, 0x11, 0x100, 0x3000)
        ):
            continue
        facts = _plane_facts(header, group << 16, image)
        if facts is None or len(found) == MAX_PLANES:
            header.flags.add("bad_overlay")
        else:
            found.append(facts)
    return found


def _plane_facts(header: ElementView, base: int, image: Facts) -> Facts | None:
    rows, columns = header.integer(base | 0x10), header.integer(base | 0x11)
    origin = header.ints(base | 0x50)
    if not rows or not columns or rows < 0 or columns < 0 or len(origin) != 2:
        return None
    # SS by the standard; a negative place that was written as US is still one.
    origin = [value - 0x10000 if value >= 0x8000 else value for value in origin]
    if max(rows, columns) > 0xFFFF or not all(-0x8000 <= value < 0x8000 for value in origin):
        return None
    frames, first = header.integer(base | 0x15), header.integer(base | 0x51)
    facts: Facts = {
        "group": f"{base >> 16:04x}",
        "overlay_rows": rows,
        "overlay_columns": columns,
        "overlay_origin": origin,
        "overlay_type": clean_line(header.text(base | 0x40))[:1],
        "number_of_frames_in_overlay": max(frames or 1, 1),
        "is_embedded": base | 0x3000 not in header,
    }
    if first is not None and first > 0:
        facts["image_frame_origin"] = first
    for name, element in (
        ("overlay_label", 0x1500), ("overlay_description", 0x22), ("overlay_subtype", 0x45),
    ):  # fmt: skip
        if text := clean_line(header.text(base | element))[:64]:
            facts[name] = text
    if facts["is_embedded"]:
        position = header.integer(base | 0x102)
        if not _fits_pixels(facts, position, header.integer(base | 0x100), image):
            return None
        return facts | {"overlay_bit_position": position}
    span = header.span(base | 0x3000)
    wanted = rows * columns * facts["number_of_frames_in_overlay"]
    return facts if span is not None and span[1] * 8 >= wanted else None


def _fits_pixels(facts: Facts, position: int | None, allocated: int | None, image: Facts) -> bool:
    """Whether an overlay can be in the unused bits of these pixels."""
    high, stored = image.get("high_bit"), image.get("bits_stored")
    if position is None or high is None or stored is None:
        return False
    return (
        allocated == image.get("bits_allocated")
        and allocated in (8, 16)
        and 0 <= position < allocated
        and not high - stored < position <= high
        and image.get("samples_per_pixel", 1) == 1
        and facts["overlay_rows"] == image.get("rows")
        and facts["overlay_columns"] == image.get("columns")
    )


def frame_of_overlay(facts: Facts, frame: int) -> int | None:
    """Return which frame of the overlay lies over an image's frame, both from 0; None: none."""
    count: int = facts["number_of_frames_in_overlay"]
    first = facts.get("image_frame_origin")
    if first is None:
        # One plane without a place of its own belongs to every frame.
        return 0 if count == 1 else (frame if frame < count else None)
    at = frame - (int(first) - 1)
    return at if 0 <= at < count else None


def bits_of_plane(
    data: bytes, facts: Facts, overlay_frame: int, *, swapped: bool = False
) -> np.ndarray | None:
    """Return one frame of OverlayData as bool (rows, columns); None when it is cut short.

    `data` is the whole value; `swapped` says that it is OW in big endian.
    """
    rows, columns = facts["overlay_rows"], facts["overlay_columns"]
    first = overlay_frame * rows * columns
    start, stop = first // 8, (first + rows * columns + 7) // 8
    if swapped:
        start, stop = start // 2 * 2, (stop + 1) // 2 * 2
    piece = np.frombuffer(data[start:stop], np.uint8)
    if swapped:
        piece = piece[: len(piece) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
    bits = np.unpackbits(piece, bitorder="little")[first - start * 8 :][: rows * columns]
    if len(bits) < rows * columns:
        return None
    return bits.reshape(rows, columns).astype(bool)


def compose(planes: Sequence[Plane], rows: int, columns: int) -> np.ndarray | None:
    """Return what lies over each pixel: 0 nothing, 1 a region, 2 graphics; None when nothing.

    uint8, shape (rows, columns); planes are cut to the image, graphics win.
    """
    over = np.zeros((rows, columns), np.uint8)
    for plane in planes:
        if not plane.is_shutter:
            _lay(plane, over, REGION if plane.is_region else GRAPHICS)
    return over if over.any() else None


def hidden_bits(planes: Sequence[Plane], rows: int, columns: int) -> np.ndarray | None:
    """Return which pixels bitmap shutters hide (bool), None when there is none."""
    shutters = [plane for plane in planes if plane.is_shutter]
    hidden = np.zeros((rows, columns), np.uint8)
    for plane in shutters:
        _lay(plane, hidden, 1)
    return hidden != 0 if shutters else None


def _lay(plane: Plane, over: np.ndarray, code: int) -> None:
    """Raise `over` to `code` under the bits of a plane, which is cut to the image."""
    top, left = plane.origin[0] - 1, plane.origin[1] - 1
    height, width = plane.bits.shape
    target = over[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if not target.size:
        return
    y, x = max(-top, 0), max(-left, 0)
    bits = plane.bits[y : y + target.shape[0], x : x + target.shape[1]]
    np.maximum(target, bits * np.uint8(code), out=target)


def draw_overlays(picture: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Return the uint8 picture as RGB with overlays on it: graphics solid, regions half through."""
    shown = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    shown = shown.copy()
    colour = np.array(OVERLAY_COLOUR, np.uint16)
    shown[over == GRAPHICS] = colour
    region = over == REGION
    shown[region] = (shown[region].astype(np.uint16) + colour + 1) // 2
    return shown
